"""Text in pictures."""

from pathlib import Path

import matplotlib
from PIL import ImageFont


def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def shortened(text: str, face: ImageFont.FreeTypeFont, *, width: float | int) -> str:
    """The text, or as much of its beginning as fits into `width` pixels with `…` behind it."""
    if face.getlength(text) <= width:
        return text
    kept = len(text)
    while kept and face.getlength(text[:kept] + "…") > width:
        kept -= 1
    return text[:kept] + "…"
