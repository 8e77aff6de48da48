"""Pictures to a GIF that repeats."""

import os
from collections.abc import Iterable
from pathlib import Path

from einops import rearrange
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

CENTISECONDS = 100
LEAST_DELAY = 2
"""Browsers show frames that want less than this (in hundredths of a second) at a tenth of the pace."""


def write_gif(path: str | Path, frames: Iterable[UInt8[Tensor, "c y x"]], *, fps: float, colours: int = 128) -> None:
    """Write RGB pictures as a GIF, whole or not at all: all have the colours of one palette, made for the first.

    Delays are whole hundredths of a second, and rates above 50 are slowed down to it. All pictures are held, a byte
    for each pixel. Raises ValueError for no pictures.
    """
    path = Path(path)
    made: list[Image.Image] = []
    for picture in frames:
        image = Image.fromarray(rearrange(picture, "c y x -> y x c").contiguous().numpy())
        if made:
            made.append(image.quantize(palette=made[0], dither=Image.Dither.NONE))
        else:
            made.append(image.quantize(colours, dither=Image.Dither.NONE))
    if not made:
        raise ValueError("a GIF needs at least one picture")
    delay = max(LEAST_DELAY, round(CENTISECONDS / fps)) * 10
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        made[0].save(aside, format="gif", save_all=True, append_images=made[1:], duration=delay, loop=0, optimize=False)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
