"""The embedded data set `motion`: real H.264 videos, made in seconds, in which only movement tells the class."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from vidtok.data.motion_render import MOTIONS, draw_path, render_clip
from vidtok.video.write import write_video

MOTION_FILES: Mapping[str, str] = MappingProxyType({"train": "train.csv", "val": "val.csv", "classes": "classes.txt"})
"""The lists and the class names in the data set's folder, by what they are."""


def motion_clip(index: int, *, split: int, seed: int, frames: int, size: tuple[int, int]) -> UInt8[Tensor, "f c y x"]:
    """The pictures of one clip, before encoding; its class is `index` modulo 8. Equal arguments give equal bits."""
    rng = np.random.default_rng((seed, split, index))
    path = draw_path(rng, MOTIONS[index % len(MOTIONS)], frames=frames, size=size)
    return render_clip(rng, path, size=size, shapes=6, noise=4)


def render_motion(
    folder: str | Path,
    *,
    clips_train: int = 3000,
    clips_val: int = 400,
    frames: int = 12,
    size: tuple[int, int] = (80, 96),
    seed: int = 0,
) -> None:
    """Write the videos, `train.csv` and `val.csv` (lines `path label`) and `classes.txt` into `folder`.

        folder/classes.txt train.csv val.csv train/00000.mp4 … val/00000.mp4 …

    Random textures and shapes move right, left, down, up, turn clockwise, anticlockwise, grow, shrink: four pairs of
    classes that are each other's time reversal. Position, angle and scale of any one frame have the same distribution
    in all classes (`motion_render`), so one picture says nothing; within a pair only the order of pictures tells.
    Classes take turns, so they are equally frequent. The lists are written last: where they are, the videos are whole.

    `size`: rows and columns, even numbers. Raises ValueError for sizes or counts that cannot work.
    """
    if min(clips_train, clips_val, frames) < 1 or any(side < 2 or side % 2 for side in size):
        raise ValueError(
            f"clips_train, clips_val and frames count from 1 and the sides of size are even, got {clips_train}, "
            f"{clips_val}, {frames} and {size}"
        )
    folder = Path(folder)
    lists = {}
    for split, (name, clips) in enumerate({"train": clips_train, "val": clips_val}.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        paths = [f"{name}/{index:05d}.mp4" for index in range(clips)]
        for index, path in enumerate(paths):
            pictures = motion_clip(index, split=split, seed=seed, frames=frames, size=size)
            # A fast preset: the encoder would otherwise cost more than the rendering.
            write_video(folder / path, pictures, fps=12.0, crf=20, preset="ultrafast")
        lists[name] = "".join(f"{path} {index % len(MOTIONS)}\n" for index, path in enumerate(paths))
    (folder / MOTION_FILES["classes"]).write_text("".join(f"{motion}\n" for motion in MOTIONS), encoding="utf-8")
    for name, text in lists.items():
        (folder / MOTION_FILES[name]).write_text(text, encoding="utf-8")
