"""Pictures with maps laid over them, side by side, with a legend: the frames of an attention video."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
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


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A map for every time step, shown over the picture. Its colours run from 0 to its highest value in the clip."""

    title: str
    maps: Float[Tensor, "t h w"]


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


def attention_frames(
    clip: UInt8[Tensor, "f c y x"],
    panels: Sequence[Panel],
    *,
    heading: str,
    guesses: Sequence[tuple[str, float]],
    notes: Sequence[str] = (),
    panel_size: int = 224,
) -> UInt8[Tensor, "f 3 rows columns"]:
    """One frame for each frame of the clip: the picture, then each panel over it, with the best classes and a legend.

    heading
    picture   panel 1   panel 2 …
    …
    ▮▮▮▮ score class
    0 ▒▒▓▓ the panel's highest value in the clip
    notes, as many lines as they need
    """
    frames, _, height, width = clip.shape
    zoom = panel_size / max(height, width)
    cell = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    big = F.interpolate(clip.float(), size=(cell[1], cell[0]), mode="bilinear", align_corners=False)
    big = big.round().clamp(0, 255).to(torch.uint8)
    columns = min(len(panels) + 1, 6 if len(panels) > 10 else 5)
    rows = -(-(len(panels) + 1) // columns)
    wide = max(columns * (cell[0] + GAP) + GAP, LEAST_WIDTH)
    wide += wide % 2
    lines = [line for note in notes for line in wrapped(note, size=TEXT, width=wide - 2 * GAP)]
    foot = (len(guesses) + 1 + len(lines)) * LINE + 2 * GAP
    tall = GAP + LINE + rows * (cell[1] + LINE + GAP) + foot
    size = (wide, tall + tall % 2)
    tops = [float(panel.maps.max()) for panel in panels]
    under = foot_picture(guesses, lines, size=(wide, foot))

    out = torch.empty(frames, 3, size[1], size[0], dtype=torch.uint8)
    for index in range(frames):
        canvas = Image.new("RGB", size, BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        number = f"frame {index + 1} of {frames}"
        room = wide - 3 * GAP - text_width(number, size=TEXT)
        write(draw, (GAP, GAP // 2), shortened(heading, size=TEXT, width=room), fill=INK, size=TEXT)
        write(draw, (wide - GAP, GAP // 2), number, fill=INK, size=TEXT, anchor="ra")
        pictures = [("picture", big[index])]
        for panel, top in zip(panels, tops, strict=True):
            heat = panel.maps[index * len(panel.maps) // frames].float()
            pictures.append((f"{panel.title}  max {top:.2g}", heat_over_picture(big[index], heat, top=top)))
        for place, (title, picture) in enumerate(pictures):
            left = GAP + place % columns * (cell[0] + GAP)
            up = GAP + LINE + place // columns * (cell[1] + LINE + GAP)
            write(draw, (left, up), shortened(title, size=TEXT, width=cell[0]), fill=FAINT, size=TEXT)
            canvas.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (left, up + LINE))
        canvas.paste(under, (0, size[1] - foot))
        out[index] = torch.from_numpy(np.array(canvas)).permute(2, 0, 1)
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
