"""Text in pictures, in every script for which the machine has a font."""

import functools
import logging
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt32
from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
UNUSABLE = ("lastresort", "blank", "emoji")
"""Fonts that have a box for every letter, nothing for every letter, or pictures of one size."""


@functools.cache
def main_font() -> Path:
    """DejaVu Sans, which matplotlib brings along."""
    import matplotlib  # here, as in the functions below, where something is drawn: not with every run

    return Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"


@functools.cache
def font(size: int, path: Path | None = None) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels; the main one where no file is named."""
    return ImageFont.truetype(path or main_font(), size)


@functools.cache
def letters_of(path: Path) -> UInt32[np.ndarray, "n"]:
    """The code points that a font has, in their order; none for a file that cannot be drawn with."""
    from matplotlib.ft2font import FT2Font

    try:
        font(12, path)
        found = np.fromiter(FT2Font(str(path)).get_charmap(), np.uint32)
    except (OSError, RuntimeError):
        found = np.zeros(0, np.uint32)
    return np.sort(found)


@functools.cache
def system_fonts() -> tuple[Path, ...]:
    """The machine's fonts, upright sans-serif ones of ordinary weight first."""
    from matplotlib.font_manager import findSystemFonts

    def order(path: Path) -> tuple[bool, bool, bool, str]:
        name = path.stem.lower()
        slanted = any(word in name for word in ("bold", "italic", "oblique", "light", "thin", "black", "mono"))
        return slanted, "sans" not in name and "gothic" not in name, "regular" not in name, name

    paths = [Path(path) for path in findSystemFonts()]
    return tuple(sorted((p for p in paths if not any(word in p.stem.lower() for word in UNUSABLE)), key=order))


@functools.cache
def font_for(letter: str) -> Path | None:
    """The first font that has this letter: the main one, or one of the machine's; None where no font has it."""
    point = ord(letter)
    for path in (main_font(), *(system_fonts() if point > 0x7F else ())):
        letters = letters_of(path)
        place = int(np.searchsorted(letters, point))
        if place < len(letters) and int(letters[place]) == point:
            return path
    return None


@functools.cache
def tell_of_missing_letters() -> None:
    """Say once that a letter stands in pictures as an escape."""
    logging.getLogger(__name__).warning(
        "no font of this machine has all letters of the names to be drawn; those stand in pictures as escapes such as "
        "\\u8d70. Install a font for their script (for Chinese, Japanese and Korean for example Noto Sans CJK)"
    )


def drawable(text: str) -> str:
    """The text with an escape for each letter that no font has, and for line breaks and other control characters."""

    def shown(letter: str) -> str:
        kind = unicodedata.category(letter)
        if kind == "Zs":
            return " "
        if kind == "Cf" or 0xFE00 <= ord(letter) <= 0xFE0F:  # joiners and variation selectors, which show nothing
            return ""
        if letter.isprintable() and font_for(letter) is not None:
            return letter
        tell_of_missing_letters()
        return letter.encode("unicode_escape").decode("ascii")

    return "".join(map(shown, unicodedata.normalize("NFC", text)))


def runs(text: str) -> Iterator[tuple[Path, str]]:
    """A drawable text in pieces, each with the one font that has all of its letters; the main one wherever it can."""
    begun, path = "", main_font()
    for letter in text:
        own = font_for(letter) or main_font()
        if own != path and begun:
            yield path, begun
            begun = ""
        begun, path = begun + letter, own
    if begun:
        yield path, begun


def text_width(text: str, *, size: int) -> float | int:
    """Pixels from the text's beginning to its end."""
    return sum(font(size, path).getlength(piece) for path, piece in runs(drawable(text)))


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float | int, float | int],
    text: str,
    *,
    fill: Colour,
    size: int,
    anchor: Literal["la", "ra", "rm", "mm", "lm"] = "la",
) -> None:
    """Draw a line of text. `anchor`: what `place` is of it, left, middle or right, and top (ascender) or middle."""
    text = drawable(text)
    x = place[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * text_width(text, size=size)
    ascent, descent = font(size).getmetrics()
    baseline = place[1] + (ascent if anchor[1] == "a" else (ascent - descent) / 2)
    for path, piece in runs(text):
        face = font(size, path)
        draw.text((x, baseline), piece, fill, face, anchor="ls")
        x += face.getlength(piece)


def shortened(text: str, *, size: int, width: float | int) -> str:
    """The text, drawable, or as much of its beginning as fits into `width` pixels with `…` behind it."""
    text = drawable(text)
    if text_width(text, size=size) <= width:
        return text
    kept = len(text)
    while kept and text_width(text[:kept] + "…", size=size) > width:
        kept -= 1
    return text[:kept] + "…"


def wrapped(text: str, *, size: int, width: float | int) -> list[str]:
    """The text in lines of at most `width` pixels, broken between words; a word that is longer is shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size=size) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, size=size, width=width))
    return lines
