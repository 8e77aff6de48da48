"""Pictures with maps laid over them, side by side, with a legend: the frames of an attention video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP = 8
LINE = 20
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
    panel_size: int = 224,
) -> UInt8[Tensor, "f 3 rows columns"]:
    """One frame for each frame of the clip: the picture, then each panel over it, with the best classes and a legend.

    heading
    picture   panel 1   panel 2 …
    …
    class score ▮▮▮▮     legend
    """
    frames, _, height, width = clip.shape
    zoom = panel_size / max(height, width)
    cell = (round(width * zoom), round(height * zoom))
    big = F.interpolate(clip.float(), size=(cell[1], cell[0]), mode="bilinear", align_corners=False)
    big = big.round().clamp(0, 255).to(torch.uint8)
    columns = min(len(panels) + 1, 6 if len(panels) > 10 else 5)
    rows = -(-(len(panels) + 1) // columns)
    foot = max(len(guesses), 2) * LINE + GAP
    size = (columns * (cell[0] + GAP) + GAP, GAP + LINE + rows * (cell[1] + LINE + GAP) + foot)
    size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    tops = [float(panel.maps.max()) for panel in panels]
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 13)

    out = torch.empty(frames, 3, size[1], size[0], dtype=torch.uint8)
    for index in range(frames):
        canvas = Image.new("RGB", size, BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        draw.text((GAP, GAP // 2), f"{heading}   frame {index + 1} of {frames}", INK, font)
        pictures = [("picture", big[index])]
        for panel, top in zip(panels, tops, strict=True):
            heat = panel.maps[index * len(panel.maps) // frames].float()
            pictures.append((f"{panel.title}  max {top:.2g}", heat_over_picture(big[index], heat, top=top)))
        for place, (title, picture) in enumerate(pictures):
            left = GAP + place % columns * (cell[0] + GAP)
            up = GAP + LINE + place // columns * (cell[1] + LINE + GAP)
            draw.text((left, up), title, FAINT, font)
            canvas.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (left, up + LINE))
        draw_foot(canvas, draw, guesses, font, top=size[1] - foot)
        out[index] = torch.from_numpy(np.array(canvas)).permute(2, 0, 1)
    return out


def draw_foot(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    guesses: Sequence[tuple[str, float]],
    font: ImageFont.FreeTypeFont,
    *,
    top: int,
) -> None:
    """The best classes with their scores as bars on the left, the colours' meaning on the right."""
    middle = canvas.width // 2
    for line, (name, score) in enumerate(guesses):
        y = top + line * LINE
        draw.rectangle((GAP, y + 2, GAP + round(100 * score), y + LINE - 6), fill=(90, 140, 220))
        draw.text((GAP + 108, y), f"{score:.2f}  {name}", INK if line == 0 else FAINT, font)
    bar = matplotlib.colormaps[COLOURS](np.linspace(0, 1, 120))[None, :, :3]
    strip = Image.fromarray((np.repeat(bar, 12, axis=0) * 255).astype(np.uint8))
    canvas.paste(strip, (middle + 20, top + 3))
    draw.text((middle, top), "0", FAINT, font)
    draw.text((middle + 148, top), "max of the panel", FAINT, font)
    draw.text((middle, top + LINE), "weight of a place, over the whole clip", FAINT, font)
