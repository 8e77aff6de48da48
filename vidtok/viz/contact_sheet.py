"""Clips of a video as rows of pictures, with their times, the boxes that are cut out, and what comes out of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Int64, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from vidtok.types import Box
from vidtok.viz.overlay import BACKGROUND, FAINT, GAP, INK
from vidtok.viz.text import shortened, text_width, write

LINE = 20
SMALL = 16
BAR = 10
TRACK = (58, 58, 66)
COLOURS = ((255, 176, 0), (100, 176, 255), (232, 92, 150))


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A row of a sheet: some pictures of one clip.

    `boxes` are in pixels of the pictures, with a name for each; `captions` stand below the pictures; `seen`, if given,
    is what the network gets of the same frames. `places` are all of the clip's frames in the video, for the line of
    time above the pictures.
    """

    title: str
    pictures: UInt8[Tensor, "f c y x"]
    captions: Sequence[str]
    places: Int64[Tensor, "n"]
    boxes: Sequence[tuple[str, Box]] = ()
    seen: UInt8[Tensor, "f c size size"] | None = None

    def __post_init__(self):
        if len(self.pictures) != len(self.captions):
            raise ValueError(f"{len(self.pictures)} pictures, but {len(self.captions)} captions")


def contact_sheet(strips: Sequence[Strip], *, heading: str, frames: int, cell_height: int = 120) -> Image.Image:
    """Strips one below the other, of a video of so many frames.

    title
    ───●●●●●●──────────────     the clip's frames in the video
    [picture] [picture] …       with boxes
     12  0.48 s  …              captions
    [ seen ]  [ seen ]  …       where there are any
    """
    if not strips:
        raise ValueError("a sheet needs at least one strip")
    height, width = strips[0].pictures.shape[-2:]
    cell = (max(64, round(width * cell_height / height)), cell_height)
    columns = max(len(strip.pictures) for strip in strips)
    heights = [LINE + BAR + GAP + cell[1] + SMALL + (GAP + cell[1] if s.seen is not None else 0) for s in strips]
    longest = max(text_width(strip.title, size=12) for strip in strips)
    wide = max(columns * (cell[0] + GAP) + GAP, 2 * GAP + round(longest), 720)
    canvas = Image.new("RGB", (wide, 2 * GAP + LINE + sum(heights) + 2 * GAP * len(strips)), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    write(draw, (GAP, GAP), shortened(heading, size=14, width=wide - 2 * GAP), fill=INK, size=14)
    top = 2 * GAP + LINE
    for strip, tall in zip(strips, heights, strict=True):
        _draw_strip(canvas, draw, strip, top=top, cell=cell, frames=frames)
        top += tall + 2 * GAP
    return canvas


def _draw_strip(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, strip: Strip, *, top: int, cell: tuple[int, int], frames: int
) -> None:
    write(draw, (GAP, top), strip.title, fill=INK, size=12)
    _draw_time(draw, strip.places, top=top + LINE, wide=canvas.width - 2 * GAP, frames=frames)
    top += LINE + BAR + GAP
    for column, (picture, caption) in enumerate(zip(_scaled(strip.pictures, cell), strip.captions, strict=True)):
        left = GAP + column * (cell[0] + GAP)
        canvas.paste(_with_boxes(picture, strip, cell, named=column == 0), (left, top))
        write(draw, (left + 1, top + cell[1] + 2), caption, fill=FAINT, size=11)
    if strip.seen is None:
        return
    side = min(cell)
    for column, picture in enumerate(_scaled(strip.seen, (side, side))):
        left = GAP + column * (cell[0] + GAP) + (cell[0] - side) // 2
        canvas.paste(picture, (left, top + cell[1] + SMALL + GAP))


def _scaled(pictures: UInt8[Tensor, "f c y x"], size: tuple[int, int]) -> list[Image.Image]:
    scaled = F.interpolate(pictures.float(), size=(size[1], size[0]), mode="bilinear", antialias=True)
    return [Image.fromarray(p.permute(1, 2, 0).round().clamp(0, 255).byte().contiguous().numpy()) for p in scaled]


def _with_boxes(picture: Image.Image, strip: Strip, cell: tuple[int, int], *, named: bool) -> Image.Image:
    """The picture with its boxes; where there is a single one, what lies outside of it is darkened."""
    height, width = strip.pictures.shape[-2:]
    across, down = cell[0] / width, cell[1] / height
    corners = [
        (
            round(box.left * across),
            round(box.top * down),
            min(round((box.left + box.width) * across), cell[0]) - 1,
            min(round((box.top + box.height) * down), cell[1]) - 1,
        )
        for _, box in strip.boxes
    ]
    if len(corners) == 1:
        x0, y0, x1, y1 = corners[0]
        shown = picture.crop((x0, y0, x1 + 1, y1 + 1))
        picture = Image.blend(picture, Image.new("RGB", picture.size, BACKGROUND), 0.6)
        picture.paste(shown, (x0, y0))
    draw = ImageDraw.Draw(picture)
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(corners))]
    for corner, colour in zip(corners, colours, strict=True):
        draw.rectangle(corner, outline=colour, width=2)
    for number, ((name, _), corner, colour) in enumerate(zip(strip.boxes, corners, colours, strict=True)):
        if name and named:
            # One below the other, so that the names of boxes that overlap can be told apart.
            x, y = corner[0] + 5, corner[1] + 4 + 16 * number
            draw.rectangle((x - 2, y - 1, x + text_width(name, size=10) + 2, y + 12), fill=colour)
            write(draw, (x, y), name, fill=BACKGROUND, size=10)
    return picture


def _draw_time(draw: ImageDraw.ImageDraw, places: Int64[Tensor, "n"], *, top: int, wide: int, frames: int) -> None:
    """The video as a line from its first frame to its last, with a mark for every frame of the clip."""
    middle = top + BAR // 2
    draw.line((GAP, middle, GAP + wide, middle), fill=TRACK, width=3)
    across = wide / max(frames, 1)
    marks = [GAP + (int(place) + 0.5) * across for place in places]
    draw.line((min(marks), middle, max(marks), middle), fill=FAINT, width=3)
    for mark in marks:
        draw.line((mark, top + 1, mark, top + BAR - 1), fill=INK, width=1)
