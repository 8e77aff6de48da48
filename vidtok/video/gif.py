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


def write_gif(
    path: str | Path,
    frames: UInt8[Tensor, "f c y x"] | Iterable[UInt8[Tensor, "c y x"]],
    *,
    fps: float | int,
    colours: int = 128,
    also: UInt8[Tensor, "c y x"] | None = None,
) -> None:
    """Write RGB pictures as a GIF, whole or not at all: all have the colours of one palette, made for the first.

    `also`: a picture whose colours count as much as the first one's.

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
            made.append(image.quantize(palette=palette_for(image, also, colours=colours), dither=Image.Dither.NONE))
    if not made:
        raise ValueError("a GIF needs at least one picture")
    delay = max(LEAST_DELAY, round(CENTISECONDS / fps)) * 10
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        made[0].save(aside, format="gif", save_all=True, append_images=made[1:], duration=delay, loop=0, optimize=False)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def palette_for(image: Image.Image, also: UInt8[Tensor, "c y x"] | None, *, colours: int) -> Image.Image:
    """A picture with a palette for this one and, where given, one more, stretched to the same size."""
    both = Image.new("RGB", (image.width, image.height * (1 if also is None else 2)))
    both.paste(image, (0, 0))
    if also is not None:
        more = Image.fromarray(rearrange(also, "c y x -> y x c").contiguous().numpy())
        both.paste(more.resize(image.size), (0, image.height))
    return both.quantize(colours, dither=Image.Dither.NONE)
