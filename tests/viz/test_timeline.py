"""The picture of a timeline: which classes have a row, and that bars stand where their segments are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidtok.viz.time_bars import COLOURS
from vidtok.viz.timeline import BAR_ALPHA, MOST_ROWS, TimelineBar, draw_timeline, label_rows, one_font, shown_time


def bar(start: float, end: float, label: int) -> TimelineBar:
    return TimelineBar(start_seconds=start, end_seconds=end, label=label, score=0.9)


def columns_of(path: Path, row: int) -> np.ndarray:
    """Columns of pixels in which a good deal has the colour of this row's bars."""
    ink = np.array([int(COLOURS[row][at : at + 2], 16) for at in (1, 3, 5)])
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(float)
    near = np.abs(pixels - (255 - BAR_ALPHA * (255 - ink))).max(axis=2) <= 3
    return np.flatnonzero(near.sum(axis=0) > 10)


def test_bars_stand_where_their_segments_are(tmp_path):
    times, scores = np.array([2.0, 8.0]), np.zeros((2, 3))
    draw_timeline(
        [bar(0.0, 5.0, 2), bar(5.0, 10.0, 0)],
        tmp_path / "a.png",
        classes=["a", "b", "c"],
        ends=(0.0, 10.0),
        scores=(times, scores),
        cuts=[5.0],
        title="走 $a$ $.mp4",
    )
    first, second = columns_of(tmp_path / "a.png", 0), columns_of(tmp_path / "a.png", 1)
    assert first[0] < first[-1] <= second[0] < second[-1]
    assert first[-1] - first[0] == pytest.approx(second[-1] - second[0], abs=6)
    assert len(first) > 400


def test_the_classes_that_fill_most_have_a_row_in_the_order_of_their_begin():
    bars = [bar(float(k), k + 1.0, k) for k in range(MOST_ROWS)]
    assert label_rows([*bars, bar(20.0, 20.5, 30)]) == list(range(MOST_ROWS))
    assert label_rows([*bars, bar(20.0, 30.0, 30), bar(30.0, 31.0, 0)]) == [*range(MOST_ROWS - 1), 30]
    assert label_rows([bar(5.0, 6.0, 1), bar(0.0, 1.0, 4)]) == [4, 1]


def test_nothing_to_show_is_a_picture_too(tmp_path):
    scores = (np.array([1.0]), np.zeros((1, 1)))
    draw_timeline([], tmp_path / "a.png", classes=["a"], ends=(0.0, 2.0), scores=scores, title="a")
    assert (tmp_path / "a.png").is_file()


def test_letters_that_the_font_has_not_are_escaped():
    assert one_font("Grüße 走") == r"Grüße \u8d70"


def test_times_are_shown_as_players_show_them():
    assert [shown_time(each, whole=True) for each in (0.0, 59.6, 61.0, 3723.0)] == ["0:00", "1:00", "1:01", "1:02:03"]
    assert shown_time(4.5, whole=False) == "4.5 s"
