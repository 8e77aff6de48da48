"""What happens when in a long video: the scores of windows over it, by one decode and in bounded memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from vidtok.choices import Backend, ScoreKind
from vidtok.data.dataset import clock_seconds
from vidtok.errors import DecodeError, ModelError
from vidtok.infer.predict import model_views
from vidtok.metrics import to_scores
from vidtok.models.classifier import Classifier
from vidtok.models.network import Network
from vidtok.types import View
from vidtok.video.cuts import CutFinder
from vidtok.video.protocols import duration_seconds
from vidtok.video.reader import open_video
from vidtok.video.windows import Windows, plan_windows

ENCODED_TOGETHER = 16
"""Frames of a network that encodes each by itself."""


@dataclass(frozen=True, kw_only=True)
class WindowScores:
    """A video's windows, and what the model says of each; times are those that players show."""

    windows: Windows
    scores: Float[np.ndarray, "n k"]
    begin_seconds: float
    end_seconds: float
    cuts: tuple[float, ...] = ()
    """When new shots begin, where that was asked for."""


class Stream:
    """Frames in, by rising index, and the scores of windows out; a frame is held until its last window is done.

    Raises ModelError for windows that do not rise.
    """

    def __init__(self, model: Classifier, indices: Int64[Tensor, "n f"], *, batch: int):
        assert model.feeding is not None
        self.model, self.batch = model, batch
        self.kind: ScoreKind = model.feeding.scores
        self._rows = indices
        self._first, self._last = indices.amin(dim=1), indices.amax(dim=1)
        if (self._first.diff() < 0).any() or (self._last.diff() < 0).any():
            raise ModelError("windows come in their order: the first and the last frames of each rise")
        self._frame_by_frame = model.network.why_whole() is None and model.network.step_frames == 1
        self._pictures: dict[int, UInt8[Tensor, "c y x"]] = {}
        self._maps: dict[int, tuple[Tensor, ...]] = {}
        self._done = 0
        self._found: list[Float[Tensor, "w k"]] = []

    @property
    def held(self) -> int:
        """Frames in memory, as pictures or as maps."""
        return len(self._pictures) + len(self._maps)

    def put(self, index: int, picture: UInt8[Tensor, "c y x"]) -> None:
        """The next frame that a window wants; once `batch` windows are full, the network looks at them."""
        self._pictures[index] = picture.clone()  # its memory may be the next one's
        full = min(self._done + self.batch, len(self._rows))
        if index >= int(self._last[full - 1]):
            self._run(full)

    def scores(self) -> Float[np.ndarray, "n k"]:
        """Those of all windows, after the last frame."""
        assert self._done == len(self._rows)
        return torch.cat(self._found).numpy()

    @torch.inference_mode()
    def _run(self, stop: int) -> None:
        rows = self._rows[self._done : stop].tolist()
        network = self.model.network
        if self._frame_by_frame:
            self._encode(network, sorted({index for row in rows for index in row} - self._maps.keys()))
            parts = [[torch.stack(part) for part in zip(*(self._maps[i] for i in row), strict=True)] for row in rows]
            logits = network.logits_of_steps(*(torch.stack(part) for part in zip(*parts, strict=True)))
        else:
            clips = torch.stack([torch.stack([self._pictures[index] for index in row]) for row in rows])
            logits = self.model(clips.to(self.model.mean.device))
        self._found.append(to_scores(logits.float(), kind=self.kind).cpu())
        self._done = stop
        oldest = int(self._first[stop]) if stop < len(self._rows) else int(self._last[-1]) + 1
        for held in (self._pictures, self._maps):
            for index in [index for index in held if index < oldest]:
                del held[index]

    def _encode(self, network: Network, indices: Sequence[int]) -> None:
        for first in range(0, len(indices), ENCODED_TOGETHER):
            own = indices[first : first + ENCODED_TOGETHER]
            pixels = rearrange([self._pictures.pop(index) for index in own], "t c y x -> 1 t c y x")
            maps = network.steps(self.model.normalise(pixels.to(self.model.mean.device)))
            for place, index in enumerate(own):
                self._maps[index] = tuple(part[0, place] for part in maps)


def window_length(model: Classifier, window_seconds: float | None) -> float | None:
    """How long windows of this model are: as said, or as the videos that it was fitted on; None: as long as its clips.

    Raises ModelError where a clip is taken from the whole of a video, and nobody knows how long those were.
    """
    feeding = model.feeding
    if window_seconds is not None or feeding is None or feeding.sampling != "segments":
        return window_seconds
    if feeding.video_seconds is None:
        raise ModelError(
            "this model takes its frames from the whole of a video, and does not know how long the videos were that it "
            "learned from: say how many seconds a window has: `window_seconds`"
        )
    return feeding.video_seconds


def score_windows(
    model: Classifier,
    path: str | Path,
    *,
    window_seconds: float | None = None,
    step_seconds: float | None = None,
    find_cuts: bool = False,
    batch: int = 8,
    backend: Backend = "pyav",
    timeout_seconds: float = 120.0,
    said: Callable[[float], None] = lambda share: None,
) -> WindowScores:
    """The scores of windows over a whole video, each taken as the model was fed in training; see `plan_windows`.

    The video is decoded once, however windows overlap; a network whose time steps are single frames, computed apart
    (`Network.why_whole`), encodes each one once too. Held are the frames of the windows that are being filled and of
    `batch` full ones; what grows with the length are the times of frames and the scores alone. `find_cuts` looks at
    every frame; see `CutFinder`. The model stays where it is, and is in evaluation state meanwhile. `said` is told now
    and then what share is done. Raises ModelError for windows that cannot be, and DecodeError for a video that cannot
    be decoded to its end; `timeout_seconds` bounds the opening, and the way from each frame to the next.
    """
    views = model_views(model)
    window_seconds = window_length(model, window_seconds)
    was_training = model.training
    model.eval()
    try:
        with open_video(path, backend=backend, timeout_seconds=timeout_seconds) as reader:
            if len(reader) < 2:
                raise DecodeError(f"{path}: has one frame; a timeline is of a video")
            seconds = clock_seconds(reader)
            windows = plan_windows(views.clip, seconds, window_seconds=window_seconds, step_seconds=step_seconds)
            needed = dict.fromkeys(torch.unique(windows.indices).tolist())
            wanted = list(range(len(reader))) if find_cuts else list(needed)
            side, last = views.side(reader), -1
            centre = View(clip=0, crop=0, indices=windows.indices[0])
            stream, finder = Stream(model, windows.indices, batch=batch), CutFinder()
            for index, picture in reader.each_at(wanted, short_side=side):
                if index <= last:  # a shortcut has misled the decoder, and it begins anew
                    stream, finder = Stream(model, windows.indices, batch=batch), CutFinder()
                last = index
                if find_cuts:
                    finder.see(picture)
                if index in needed:
                    stream.put(index, views.crop(picture[None], centre)[0])
                    said((index + 1) / len(reader))
                reader.renew_deadline()
            scores = stream.scores()
            cuts = tuple(float(seconds[index]) for index in finder.cuts(reader.fps)) if find_cuts else ()
    finally:
        model.train(was_training)
    first = float(seconds[0])
    end = first + duration_seconds(seconds)
    return WindowScores(windows=windows, scores=scores, begin_seconds=first, end_seconds=end, cuts=cuts)
