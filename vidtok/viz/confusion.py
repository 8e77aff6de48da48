"""The confusion matrix as a picture, with the most confused pairs of classes as text beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from jaxtyping import Float, Int64
from PIL import Image, ImageDraw
from torch import Tensor

from vidtok.metrics import confusion
from vidtok.viz.overlay import BACKGROUND, COLOURS, FAINT, GAP, INK
from vidtok.viz.text import font, shortened

SIDE = 640
NAMED = 40
"""Classes up to which the lines have their names beside them."""
NAME_WIDTH = 130
LIST_WIDTH = 430
EMPTY = (58, 58, 66)


@dataclass(frozen=True, kw_only=True)
class Confused:
    """So many videos, out of all `of` of class `label`, were taken for class `taken_for`."""

    label: int
    taken_for: int
    count: int
    of: int


def most_confused(counts: Int64[Tensor, "k k"], *, most: int) -> list[Confused]:
    """The pairs of different classes by the number of videos, the largest first; among equals by their share."""
    total = counts.sum(1)
    wrong = counts.clone().fill_diagonal_(0)
    found = [
        Confused(label=label, taken_for=other, count=int(wrong[label, other]), of=int(total[label]))
        for label, other in wrong.nonzero().tolist()
    ]
    return sorted(found, key=lambda each: (-each.count, -each.count / each.of, each.label, each.taken_for))[:most]


def scores_confusion(
    scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]], classes: Sequence[str], *, heading: str
) -> Image.Image | None:
    """The picture of the highest scores against the labels; None without a video, or where one has several labels."""
    if not labels or any(len(own) != 1 for own in labels):
        return None
    truth = torch.tensor([own[0] for own in labels])
    return confusion_picture(confusion(scores.argmax(1), truth, classes=len(classes)), classes, heading=heading)


def confusion_picture(counts: Int64[Tensor, "k k"], classes: Sequence[str], *, heading: str) -> Image.Image:
    """Row: the true class; column: what it was taken for; colour: root of the share of the row's videos.

    heading
    class  ▓░░░    most confused: taken for
    class  ░▓░░    waving → bending   3 of 9
    class  ░░▓░    …

    With up to NAMED classes the lines are named; the classes of others stand in their order, from top and left. A class
    without videos is grey; the root brings small shares out. `counts` is that of `vidtok.metrics.confusion`.
    """
    k = len(classes)
    cell = max(1, round(SIDE / k))
    side, named = cell * k, k <= NAMED
    margin = NAME_WIDTH if named else 40
    top = 2 * GAP + 22
    canvas = Image.new("RGB", (margin + side + LIST_WIDTH + 4 * GAP, top + side + margin + GAP), BACKGROUND)
    draw, small = ImageDraw.Draw(canvas), font(11)
    draw.text((GAP, GAP), heading, INK, font(14))
    left = margin + GAP
    canvas.paste(_cells(counts, cell), (left, top))
    if named:
        _name_lines(canvas, draw, classes, counts, cell=cell, corner=(left, top))
    else:
        for number in range(0, k, 100 if k > 200 else 20):
            draw.text((left - 4, top + number * cell), str(number), FAINT, small, anchor="ra")
            draw.text((left + number * cell, top + side + 4), str(number), FAINT, small, anchor="la")
    _list_pairs(draw, classes, counts, left=left + side + 2 * GAP, top=top, bottom=canvas.height)
    return canvas


def _cells(counts: Int64[Tensor, "k k"], cell: int) -> Image.Image:
    total = counts.sum(1, keepdim=True)
    share = (counts / total.clamp(min=1)).numpy()
    colours = (matplotlib.colormaps[COLOURS](np.sqrt(share))[..., :3] * 255).round().astype(np.uint8)
    colours[(total == 0).numpy()[:, 0]] = EMPTY
    return Image.fromarray(colours.repeat(cell, axis=0).repeat(cell, axis=1))


def _name_lines(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    classes: Sequence[str],
    counts: Int64[Tensor, "k k"],
    *,
    cell: int,
    corner: tuple[int, int],
) -> None:
    left, top = corner
    face = font(min(13, max(9, cell - 2)))
    words = [shortened(name, face, width=NAME_WIDTH - 8) for name in classes]
    side = cell * len(classes)
    upright = Image.new("RGB", (NAME_WIDTH, side), BACKGROUND)
    for number, name in enumerate(words):
        middle = number * cell + cell // 2
        draw.text((left - 6, top + middle), name, FAINT, face, anchor="rm")
        ImageDraw.Draw(upright).text((NAME_WIDTH - 6, middle), name, FAINT, face, anchor="rm")
    # A counter-clockwise turn: what stands at the right end of a line comes to its top, the first line to the left.
    canvas.paste(upright.rotate(90, expand=True), (left, top + side))
    if cell < 24:
        return
    total = counts.sum(1).clamp(min=1)
    for row, column in counts.nonzero().tolist():
        count = int(counts[row, column])
        ink = BACKGROUND if count / int(total[row]) > 0.4 else INK
        place = (left + column * cell + cell // 2, top + row * cell + cell // 2)
        draw.text(place, str(count), ink, font(12), anchor="mm")


def _list_pairs(
    draw: ImageDraw.ImageDraw,
    classes: Sequence[str],
    counts: Int64[Tensor, "k k"],
    *,
    left: int,
    top: int,
    bottom: int,
) -> None:
    face = font(12)
    draw.text((left, top), "most confused: true class → taken for", INK, face)
    fitting = (bottom - top) // 18 - 2
    pairs = most_confused(counts, most=min(30, fitting))
    if not pairs:
        draw.text((left, top + 24), "none", FAINT, face)
    for line, pair in enumerate(pairs):
        y = top + 24 + 18 * line
        words = f"{classes[pair.label]} → {classes[pair.taken_for]}"
        draw.text((left, y), f"{pair.count} of {pair.of}", INK, face)
        draw.text((left + 80, y), shortened(words, face, width=LIST_WIDTH - 80), FAINT, face)
