"""The picture of a timeline: which classes have a row, and that bars stand where their segments are."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
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


def drawn(path: Path, monkeypatch, bars, **options):
    """The axis of the picture as it was saved."""
    seen = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k))[1])
    draw_timeline(bars, path, **options)
    (figure,) = seen
    monkeypatch.undo()
    return figure.axes[0]


def test_rows_scores_cuts_and_words(tmp_path, monkeypatch):
    times, scores = np.array([1.0, 3.0]), np.array([[0.0, 0.1, 0.5], [1.0, 0.2, 0.25]])
    bars = [bar(0.0, 1.5, 2), bar(1.5, 4.0, 0), bar(5.0, 6.0, 2)]
    options = {"classes": ["a", "b", "c"], "ends": (0.0, 8.0), "scores": (times, scores), "title": "v.mp4"}
    axis = drawn(tmp_path / "a.png", monkeypatch, bars, cuts=[1.5], **options)
    assert [text.get_text() for text in axis.get_yticklabels()] == ["c", "a"]
    spans = [[path.get_extents() for path in own.get_paths()] for own in axis.collections]
    assert [[(box.x0, box.x1) for box in row] for row in spans] == [[(0, 1.5), (5, 6)], [(1.5, 4)]]
    for row, boxes in enumerate(spans):
        assert [(box.y0, box.y1) for box in boxes] == [pytest.approx((row - 0.4, row + 0.4))] * len(boxes)
    # Scores run from the lower edge of their bar (0) to its upper edge (1); rows are counted downwards.
    curves = [line.get_ydata().tolist() for line in axis.lines[:2]]
    assert curves == [pytest.approx([0.0, 0.2]), pytest.approx([1.4, 0.6])]
    assert axis.lines[0].get_xdata().tolist() == [1.0, 3.0]
    assert list(axis.lines[2].get_xdata()) == [1.5, 1.5]
    assert axis.get_xlim() == (0.0, 8.0)
    assert axis.get_ylim() == (1.5, -0.5)
    assert axis.get_title(loc="left") == "v.mp4"
    assert axis.xaxis.get_major_formatter()(4.5, 0) == "4.5 s"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 1210
        two = picture.height
    options["ends"] = (0.0, 21.0)
    axis = drawn(tmp_path / "a.png", monkeypatch, bars[:1], **options)
    assert axis.xaxis.get_major_formatter()(4.5, 0) == "0:04"
    with Image.open(tmp_path / "a.png") as picture:
        assert 30 < two - picture.height < 70, "a row"
        assert picture.height < 250
    axis = drawn(tmp_path / "a.png", monkeypatch, [], **options)
    assert axis.get_ylim() == (0.5, -0.5)
    many = [bar(float(k), k + 1.0, k) for k in range(MOST_ROWS + 2)]
    options |= {"classes": [str(k) for k in range(30)], "scores": (times, np.zeros((2, 30)))}
    axis = drawn(tmp_path / "a.png", monkeypatch, many, **options)
    assert axis.get_title(loc="left") == "v.mp4   (2 more classes)"
    assert [line.get_color() for line in axis.lines[: len(COLOURS)]] == list(COLOURS)
    assert axis.lines[len(COLOURS)].get_color() == COLOURS[0]
