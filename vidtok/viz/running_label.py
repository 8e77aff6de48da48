"""A picture of a stream with what the model says of it: a band below, so that nothing of the picture is hidden."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from vidtok.viz.text import shortened, text_width, write

BACKGROUND, INK, FAINT, BAR, TRACK = (24, 24, 28), (245, 245, 245), (160, 160, 168), (90, 140, 220), (52, 52, 60)
LEAST_SIDE = 240
"""Pixels of the shorter side; smaller pictures are shown larger, so that the words below them can be read."""


class RunningLabel:
    """Draws the band; it is drawn anew only where its words change.

    ┌──────────────────────────┐
    │         picture          │
    ├──────────────────────────┤
    │ right          ▮▮▮▮▮▯ 0.93│     the best class, large, with its score
    │ left           ▮▯▯▯▯▯ 0.05│     those behind it
    │ 0:03.2    0.04 s behind  │
    └──────────────────────────┘
    """

    def __init__(self, *, lines: int):
        self.lines = lines
        self._words: object = None
        self._band: UInt8[Tensor, "c rows x"] | None = None

    def draw(
        self, picture: UInt8[Tensor, "c y x"], guesses: Sequence[tuple[str, float]], *, time: str, state: str
    ) -> UInt8[Tensor, "c rows columns"]:
        """The picture above the band; `guesses`: the best classes with their scores, none before a window is full."""
        height, width = picture.shape[1:]
        words = (height, width, tuple((name, round(score, 2)) for name, score in guesses), time, state)
        if self._band is None or words != self._words:
            self._band, self._words = self._drawn((height, width), guesses, time=time, state=state), words
        return torch.cat([picture, self._band], dim=1)

    def _drawn(
        self, size: tuple[int, int], guesses: Sequence[tuple[str, float]], *, time: str, state: str
    ) -> UInt8[Tensor, "c rows x"]:
        width = size[1]
        text = max(12, min(size) // 24)
        large, gap = text + text // 2, text // 2
        rows = [large, *[text] * (self.lines - 1), text]
        canvas = Image.new("RGB", (width, sum(row + gap for row in rows) + gap), BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        bar_left = width * 3 // 5
        y = gap
        for place, row in enumerate(rows[:-1]):
            if place < len(guesses):
                name, score = guesses[place]
                ink, middle = (INK if place == 0 else FAINT), y + row / 2
                number = f"{score:.2f}"
                right = width - gap - text_width("0.00", size=text) - gap
                write(
                    draw,
                    (gap, middle),
                    shortened(name, size=row, width=bar_left - 2 * gap),
                    fill=ink,
                    size=row,
                    anchor="lm",
                )
                box = (bar_left, middle - text / 3, right, middle + text / 3)
                draw.rectangle(box, fill=TRACK)
                if round((right - bar_left) * score):
                    draw.rectangle((*box[:2], bar_left + (right - bar_left) * score, box[3]), fill=BAR)
                write(draw, (width - gap, middle), number, fill=ink, size=text, anchor="rm")
            elif place == 0:
                write(draw, (gap, y + row / 2), "…", fill=FAINT, size=row, anchor="lm")
            y += row + gap
        write(draw, (gap, y + text / 2), time, fill=FAINT, size=text, anchor="lm")
        room = width - 4 * gap - text_width(time, size=text)
        write(
            draw,
            (width - gap, y + text / 2),
            shortened(state, size=text, width=room),
            fill=FAINT,
            size=text,
            anchor="rm",
        )
        return torch.from_numpy(np.array(canvas)).permute(2, 0, 1)
