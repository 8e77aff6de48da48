"""Pictures with maps laid over them, side by side, with a legend: the frames of an attention video."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from vidtok.viz.text import shortened, text_width, wrapped, write

GAP = 8
LINE = 20
TEXT = 13
LEAST_WIDTH = 472
"""Two panels of the usual size: lines of the legend have room to be read."""
BACKGROUND = (18, 18, 22)
INK = (235, 235, 235)
FAINT = (176, 176, 184)
COLOURS = "inferno"
POSITIVE, NEGATIVE = (240, 150, 60), (90, 140, 220)


OUTLINE = (120, 255, 170)
STRIP = 44
"""Rows of a strip over time, its title included."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A map for every time step, shown over the picture. Its colours run from 0 to its highest value in the clip."""

    title: str
    maps: Float[Tensor, "t h w"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is drawn over one picture: heat, borders of regions, a ring around a point. With nothing it is the picture.

    `ring`: from the top and from the left, in shares of the picture. `picture`: another one than the frame's.
    """

    picture: UInt8[Tensor, "c y x"] | None = None
    heat: Float[Tensor, "h w"] | None = None
    regions: Int64[Tensor, "h w"] | None = None
    ring: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Numbers over time, drawn below the pictures with a line at the moment that they show."""

    title: str
    values: Float[Tensor, "n"]


def heat_over_picture(
    picture: UInt8[Tensor, "c y x"], heat: Float[Tensor, "h w"], *, top: float
) -> UInt8[Tensor, "c y x"]:
    """The grey picture, darkened, with the map in colours on it; `top` is the value of the brightest colour."""
    import matplotlib

    size = list(picture.shape[-2:])
    share = F.interpolate(heat[None, None] / max(top, 1e-12), size=size, mode="bilinear", align_corners=False)[0, 0]
    share = share.clamp(0, 1)
    colour = torch.from_numpy(matplotlib.colormaps[COLOURS](share.numpy())[..., :3]).permute(2, 0, 1).float() * 255
    grey = picture.float().mean(0, keepdim=True).expand(3, -1, -1) * 0.7
    strength = 0.15 + 0.7 * share
    return (grey * (1 - strength) + colour * strength).round().clamp(0, 255).to(torch.uint8)


def borders_over_picture(picture: UInt8[Tensor, "c y x"], regions: Int64[Tensor, "h w"]) -> UInt8[Tensor, "c y x"]:
    """The picture with a line where neighbouring pixels are of different regions."""
    size = list(picture.shape[-2:])
    numbers = F.interpolate(regions[None, None].double(), size=size, mode="nearest")[0, 0]
    edge = torch.zeros(size, dtype=torch.bool)
    edge[:-1] |= numbers[:-1] != numbers[1:]
    edge[:, :-1] |= numbers[:, :-1] != numbers[:, 1:]
    return torch.where(edge, torch.tensor(OUTLINE, dtype=torch.uint8).view(3, 1, 1), picture)


class Mosaic:
    """The frames of an attention video: cells side by side, over them a heading, below them strips and a legend.

        heading                       corner
        title 1   title 2   …
        cell 1    cell 2    …
        strip over time
        ▮▮▮▮ score class
        0 ▒▒▓▓ the panel's highest value in the clip
        notes, as many lines as they need

    `picture`: rows and columns of the pictures; `titles` and `tops` (the value of the brightest colour) are those of
    the cells; `guesses`: how many lines of classes there are. `panel_size`: pixels of a cell's longer side.
    """

    def __init__(
        self,
        *,
        picture: tuple[int, int],
        titles: Sequence[str],
        tops: Sequence[float],
        heading: str,
        guesses: int,
        notes: Sequence[str] = (),
        strips: Sequence[Strip] = (),
        columns: int | None = None,
        panel_size: int = 224,
        least_width: int = LEAST_WIDTH,
    ):
        height, width = picture
        zoom = panel_size / max(height, width)
        self.cell = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        self.columns = columns or min(len(titles), 6 if len(titles) > 11 else 5)
        self.rows = -(-len(titles) // self.columns)
        wide = max(self.columns * (self.cell[0] + GAP) + GAP, least_width)
        self.wide = wide + wide % 2
        self.lines = [line for note in notes for line in wrapped(note, size=TEXT, width=self.wide - 2 * GAP)]
        self.foot = (guesses + 1 + len(self.lines)) * LINE + 2 * GAP
        tall = GAP + LINE + self.rows * (self.cell[1] + LINE + GAP) + len(strips) * STRIP + self.foot
        self.size = (self.wide, tall + tall % 2)
        self.titles, self.tops, self.heading, self.strips = titles, tops, heading, strips
        self._under: tuple[Sequence[tuple[str, float]], Image.Image] | None = None
        self._strips = [strip_picture(strip, wide=self.wide) for strip in strips]

    def place(self, number: int) -> tuple[int, int]:
        """Where a cell's picture begins: columns from the left, rows from the top."""
        left = GAP + number % self.columns * (self.cell[0] + GAP)
        return left, GAP + 2 * LINE + number // self.columns * (self.cell[1] + LINE + GAP)

    def enlarged(self, pictures: UInt8[Tensor, "f c y x"]) -> UInt8[Tensor, "f c rows columns"]:
        """Pictures of a cell's size."""
        big = F.interpolate(pictures.float(), size=self.cell[::-1], mode="bilinear", align_corners=False)
        return big.round().clamp(0, 255).to(torch.uint8)

    def draw(
        self,
        picture: UInt8[Tensor, "c y x"],
        cells: Sequence[Cell],
        *,
        corner: str,
        guesses: Sequence[tuple[str, float]],
        at: float | None = None,
    ) -> UInt8[Tensor, "3 rows columns"]:
        """One frame; `at`: the moment on the strips, in shares of their length."""
        (big,) = self.enlarged(picture[None])
        canvas = Image.new("RGB", self.size, BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        room = self.wide - 3 * GAP - text_width(corner, size=TEXT)
        write(draw, (GAP, GAP // 2), shortened(self.heading, size=TEXT, width=room), fill=INK, size=TEXT)
        write(draw, (self.wide - GAP, GAP // 2), corner, fill=INK, size=TEXT, anchor="ra")
        for number, (cell, title, top) in enumerate(zip(cells, self.titles, self.tops, strict=True)):
            left, up = self.place(number)
            below = big if cell.picture is None else self.enlarged(cell.picture[None])[0]
            shown = below if cell.heat is None else heat_over_picture(below, cell.heat, top=top)
            if cell.regions is not None:
                shown = borders_over_picture(shown, cell.regions)
            beside = number + 1 < len(self.titles) and (number + 1) % self.columns and not self.titles[number + 1]
            room = self.cell[0] * (2 if beside else 1)  # a title may go on over a cell that has none
            write(draw, (left, up - LINE), shortened(title, size=TEXT, width=room), fill=FAINT, size=TEXT)
            canvas.paste(Image.fromarray(shown.permute(1, 2, 0).contiguous().numpy()), (left, up))
            if cell.ring is not None:
                y, x = up + cell.ring[0] * self.cell[1], left + cell.ring[1] * self.cell[0]
                for radius, colour in ((6, BACKGROUND), (5, INK)):
                    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
        top_of_strips = self.size[1] - self.foot - len(self._strips) * STRIP
        for number, strip in enumerate(self._strips):
            y = top_of_strips + number * STRIP
            canvas.paste(strip, (0, y))
            if at is not None:
                x = GAP + at * (self.wide - 2 * GAP)
                draw.line((x, y + 16, x, y + STRIP - 4), fill=INK, width=2)
        if self._under is None or self._under[0] != list(guesses):
            self._under = (list(guesses), foot_picture(guesses, self.lines, size=(self.wide, self.foot)))
        canvas.paste(self._under[1], (0, self.size[1] - self.foot))
        return torch.from_numpy(np.array(canvas)).permute(2, 0, 1)


def heat_colours() -> UInt8[Tensor, "3 1 n"]:
    """The colours of maps, from the lowest to the highest, over dark and light pictures."""
    share = torch.linspace(0, 1, 64)[None]
    rows = [
        heat_over_picture(torch.full((3, 1, 64), grey, dtype=torch.uint8), share, top=1.0) for grey in (40, 120, 200)
    ]
    return torch.cat(rows, dim=-1)


def with_top(title: str, top: float) -> str:
    """A title with the value of the brightest colour."""
    return f"{title}  max {top:.2g}"


def strip_picture(strip: Strip, *, wide: int) -> Image.Image:
    """Bars over time: above the line what is positive, below it what is not; the scale is that of the largest."""
    canvas = Image.new("RGB", (wide, STRIP), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    room = wide - 2 * GAP
    # More numbers than columns of pixels: the largest of each column.
    values = strip.values.float()
    if len(values) > room:
        values = F.adaptive_max_pool1d(values[None, None], room)[0, 0]
    top = max(float(values.abs().max()), 1e-12)
    write(draw, (GAP, 0), shortened(f"{strip.title}  max {top:.2g}", size=11, width=room), fill=FAINT, size=11)
    low = bool((values < 0).any())
    base, reach = (STRIP - 4 - (STRIP - 20) // 2, (STRIP - 20) // 2) if low else (STRIP - 4, STRIP - 20)
    across = room / len(values)
    for number, value in enumerate((values / top).tolist()):
        left, right = GAP + number * across, GAP + (number + 1) * across - (1 if across > 3 else 0)
        ends = sorted((base - value * reach, float(base)))
        draw.rectangle((left, ends[0], max(left, right - 1), ends[1]), fill=POSITIVE if value >= 0 else NEGATIVE)
    draw.line((GAP, base, wide - GAP, base), fill=FAINT)
    return canvas


def attention_frames(
    clip: UInt8[Tensor, "f c y x"],
    panels: Sequence[Panel],
    *,
    heading: str,
    guesses: Sequence[tuple[str, float]],
    notes: Sequence[str] = (),
    panel_size: int = 224,
) -> UInt8[Tensor, "f 3 rows columns"]:
    """One frame for each frame of the clip: the picture, then each panel over it, as a `Mosaic`."""
    frames = len(clip)
    mosaic = Mosaic(
        picture=(clip.shape[2], clip.shape[3]),
        titles=["picture", *(with_top(panel.title, float(panel.maps.max())) for panel in panels)],
        tops=[0.0, *(float(panel.maps.max()) for panel in panels)],
        heading=heading,
        guesses=len(guesses),
        notes=notes,
        panel_size=panel_size,
    )
    out = torch.empty(frames, 3, mosaic.size[1], mosaic.size[0], dtype=torch.uint8)
    for index in range(frames):
        cells = [Cell(heat=panel.maps[index * len(panel.maps) // frames].float()) for panel in panels]
        corner = f"frame {index + 1} of {frames}"
        out[index] = mosaic.draw(clip[index], [Cell(), *cells], corner=corner, guesses=guesses)
    return out


def foot_picture(guesses: Sequence[tuple[str, float]], lines: Sequence[str], *, size: tuple[int, int]) -> Image.Image:
    """The best classes with their scores as bars, below them what the colours mean, then the lines of the legend."""
    import matplotlib

    canvas = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for line, (name, score) in enumerate(guesses):
        y = GAP + line * LINE
        draw.rectangle((GAP, y + 2, GAP + round(100 * score), y + LINE - 6), fill=(90, 140, 220))
        words = shortened(f"{score:.2f}  {name}", size=TEXT, width=size[0] - GAP - 116)
        write(draw, (GAP + 108, y), words, fill=INK if line == 0 else FAINT, size=TEXT)
    y = GAP + len(guesses) * LINE
    bar = matplotlib.colormaps[COLOURS](np.linspace(0, 1, 100))[None, :, :3]
    canvas.paste(Image.fromarray((np.repeat(bar, 12, axis=0) * 255).astype(np.uint8)), (GAP, y + 3))
    write(draw, (GAP + 108, y), "0 to the highest value of the panel in the clip", fill=FAINT, size=TEXT)
    for number, line in enumerate(lines):
        write(draw, (GAP, y + (number + 1) * LINE), line, fill=FAINT, size=TEXT)
    return canvas
