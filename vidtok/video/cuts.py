"""Hard cuts: where one shot ends and the next begins, from the differences between neighbouring pictures."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from vidtok.video.resize import resized

SIDE = 16
"""Rows and columns of the small pictures that are compared."""
REACH_SECONDS = 0.3
RATIO = 2.0
LEAST = 4.0
"""Grey levels: no cut changes a picture by less on average."""


class CutFinder:
    """Takes a video's pictures one after the other; `cuts` are the frames at which new shots begin.

    Yeo and Liu, "Rapid scene analysis on compressed video" (IEEE Transactions on Circuits and Systems for Video
    Technology 5(6), 1995): a cut is where the difference of neighbouring pictures is the largest within a reach, and so
    many times the second largest. Motion, which lasts, is none, nor is a flash, which differs twice. They compare grey
    pictures of block means (the DC image); here they have colour, and there is a least difference, for pictures that
    stand still. Fades and wipes are not found.
    """

    def __init__(self):
        self._before: Float32[Tensor, "c y x"] | None = None
        self._differences: list[float] = []

    def see(self, picture: UInt8[Tensor, "c y x"]) -> None:
        """The next picture, of any size."""
        small = resized(picture[None], SIDE, SIDE)[0].float()
        self._differences.append(0.0 if self._before is None else float((small - self._before).abs().mean()))
        self._before = small

    def cuts(self, fps: float) -> list[int]:
        """The numbers, from 0, of the pictures with which shots begin, the first one aside."""
        return cut_places(self._differences, reach=max(2, round(REACH_SECONDS * fps)))


def cut_places(differences: Sequence[float], *, reach: int, ratio: float = RATIO, least: float = LEAST) -> list[int]:
    """Where a difference is at least `least` and `ratio` times any other within `reach` places on both sides."""
    padded = np.concatenate([np.zeros(reach), np.asarray(differences, np.float64), np.zeros(reach)])
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).copy()
    own = around[:, reach].copy()
    around[:, reach] = 0
    return np.flatnonzero((own >= least) & (own >= ratio * around.max(axis=1))).tolist()
