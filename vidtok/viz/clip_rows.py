"""Clips as rows of frames with a line above each: what a network is trained on."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from vidtok.viz.overlay import BACKGROUND, GAP, INK
from vidtok.viz.text import shortened, write

LINE = 18


def clip_rows(
    clips: UInt8[Tensor, "b f c y x"], titles: Sequence[str], *, cells: int = 8, cell_height: int = 112
) -> Image.Image:
    """A picture of all clips, each with `cells` frames at most, evenly spread from the first to the last.

    title
    [frame] [frame] [frame] …

    Clips of fewer frames share a row. Raises ValueError without a clip, or without a title for each.
    """
    if len(clips) == 0 or len(clips) != len(titles):
        raise ValueError(f"one title for each clip, and one clip at least: got {len(clips)} and {len(titles)}")
    _, frames, _, height, width = clips.shape
    shown = min(frames, cells)
    chosen = torch.linspace(0, frames - 1, shown).round().long()
    cell_width = max(1, round(width * cell_height / height))
    across = cells // shown  # clips beside each other
    block = (shown * cell_width + (shown - 1) * 2 + GAP, LINE + cell_height + GAP)
    down = -(-len(clips) // across)
    canvas = Image.new("RGB", (GAP + min(across, len(clips)) * block[0], GAP + down * block[1]), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for number, (clip, title) in enumerate(zip(clips.cpu(), titles, strict=True)):
        left, top = GAP + number % across * block[0], GAP + number // across * block[1]
        write(draw, (left, top), shortened(title, size=12, width=block[0] - GAP), fill=INK, size=12)
        scaled = F.interpolate(clip[chosen].float(), size=(cell_height, cell_width), mode="bilinear", antialias=True)
        for column, frame in enumerate(scaled.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()):
            canvas.paste(Image.fromarray(frame), (left + column * (cell_width + 2), top + LINE))
    return canvas


def target_words(target: Sequence[float], classes: Sequence[str], *, most: int = 4) -> str:
    """The classes of a clip's target, and their shares where these are not 1: `right 0.62 + left 0.38`."""
    shares = sorted(((share, name) for share, name in zip(target, classes, strict=True) if share > 0.005), reverse=True)
    words = [name if share > 0.995 else f"{name} {share:.2f}" for share, name in shares[:most]]
    return " + ".join(words) + (" …" if len(shares) > most else "") if words else "no class"
