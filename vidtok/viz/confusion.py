"""The confusion matrix as a picture, with the most confused pairs of classes as text beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from PIL import Image, ImageDraw
from torch import Tensor

from vidtok.metrics import confusion
from vidtok.viz.overlay import BACKGROUND, COLOURS, FAINT, GAP, INK
from vidtok.viz.text import shortened, text_width, write

SIDE = 640
NAMED = 40
"""Classes up to which the lines have their names beside them."""
NAME_WIDTH = 130
RECALL_WIDTH = 96
LIST_WIDTH = 430
LINE = 18
WORST = 10
"""Classes of lowest recall that are listed where the lines have no room for it."""
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
    rows: true class; columns: taken for
           videos recall    most confused: true class → taken for
    class  ▓░░░   9  0.67   3 of 9   waving → bending
    class  ░▓░░   8  0.75   …
    class  ░░▓░   0         lowest recall
            …               2 of 9   0.22  bending

    With up to NAMED classes the lines are named and have their counts and recall beside them; the classes of others
    stand in their order, from top and left, and those of lowest recall are listed. A class without videos is grey; the
    root brings small shares out. `counts` is that of `vidtok.metrics.confusion`.
    """
    k = len(classes)
    cell = max(1, round(SIDE / k))
    side, named = cell * k, k <= NAMED
    margin, beside = (NAME_WIDTH, RECALL_WIDTH) if named else (40, 0)
    top = 3 * GAP + 56
    size = (margin + side + beside + LIST_WIDTH + 4 * GAP, top + side + margin + GAP)
    canvas = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    write(draw, (GAP, GAP), shortened(heading, size=14, width=size[0] - 2 * GAP), fill=INK, size=14)
    left = margin + GAP
    right = left + side
    write(draw, (left, GAP + 24), "rows: the true class; columns: what it was taken for", fill=FAINT, size=12)
    canvas.paste(_cells(counts, cell), (left, top))
    if named:
        _name_lines(canvas, draw, classes, counts, cell=cell, corner=(left, top))
        write(draw, (right + 42, top - 18), "videos", fill=FAINT, size=11, anchor="ra")
        write(draw, (right + RECALL_WIDTH - 6, top - 18), "recall", fill=FAINT, size=11, anchor="ra")
    else:
        for number in range(0, k, 100 if k > 200 else 20):
            write(draw, (left - 4, top + number * cell), str(number), fill=FAINT, size=11, anchor="ra")
            write(draw, (left + number * cell, top + side + 4), str(number), fill=FAINT, size=11)
    at = right + beside + 2 * GAP
    room = (canvas.height - GAP - top) // LINE - 2
    pairs = most_confused(counts, most=min(30, room if named else room - WORST - 2))
    down = _list(draw, [(f"{p.count} of {p.of}", f"{classes[p.label]} → {classes[p.taken_for]}") for p in pairs],
                 title="most confused: true class → taken for", place=(at, top))  # fmt: skip
    if not named:
        own, total = counts.diagonal().tolist(), counts.sum(1).tolist()
        worst = sorted((i for i in range(k) if total[i]), key=lambda i: (own[i] / total[i], i))[:WORST]
        lines = [(f"{own[i]} of {total[i]}", f"{own[i] / total[i]:.2f}  {classes[i]}") for i in worst]
        _list(draw, lines, title="lowest recall", place=(at, down + LINE))
    return canvas


def _cells(counts: Int64[Tensor, "k k"], cell: int) -> Image.Image:
    import matplotlib

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
    """Names left of the rows and below the columns, videos and recall right of the rows, counts where they fit."""
    left, top = corner
    size = min(13, max(9, cell - 2))
    words = [shortened(name, size=size, width=NAME_WIDTH - 8) for name in classes]
    side = cell * len(classes)
    upright = Image.new("RGB", (NAME_WIDTH, side), BACKGROUND)
    total = counts.sum(1).tolist()
    for number, name in enumerate(words):
        middle = number * cell + cell // 2
        write(draw, (left - 6, top + middle), name, fill=FAINT, size=size, anchor="rm")
        write(ImageDraw.Draw(upright), (NAME_WIDTH - 6, middle), name, fill=FAINT, size=size, anchor="rm")
        right = left + side
        write(draw, (right + 42, top + middle), str(total[number]), fill=FAINT, size=size, anchor="rm")
        if total[number]:
            recall = f"{int(counts[number, number]) / total[number]:.2f}"
            write(draw, (right + RECALL_WIDTH - 6, top + middle), recall, fill=INK, size=size, anchor="rm")
    # A counter-clockwise turn: what stands at the right end of a line comes to its top, the first line to the left.
    canvas.paste(upright.rotate(90, expand=True), (left, top + side))
    for row, column in counts.nonzero().tolist():
        count = str(int(counts[row, column]))
        fitting = (n for n in range(min(12, cell - 4), 7, -1) if text_width(count, size=n) <= cell - 2)
        digits = next(fitting, None)
        if digits is None:
            continue
        ink = BACKGROUND if int(count) / total[row] > 0.4 else INK
        place = (left + column * cell + cell // 2, top + row * cell + cell // 2)
        write(draw, place, count, fill=ink, size=digits, anchor="mm")


def _list(draw: ImageDraw.ImageDraw, lines: Sequence[tuple[str, str]], *, title: str, place: tuple[int, int]) -> int:
    """A title and lines of two columns below it; the row of pixels behind the last."""
    left, top = place
    write(draw, (left, top), title, fill=INK, size=12)
    top += 24
    if not lines:
        write(draw, (left, top), "none", fill=FAINT, size=12)
        return top + LINE
    for count, words in lines:
        write(draw, (left, top), count, fill=INK, size=12)
        write(draw, (left + 80, top), shortened(words, size=12, width=LIST_WIDTH - 80), fill=FAINT, size=12)
        top += LINE
    return top
