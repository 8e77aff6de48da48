"""The picture of a confusion matrix, read pixel by pixel."""

import numpy as np
import pytest
import torch

from vidtok.metrics import confusion
from vidtok.viz import confusion as picture
from vidtok.viz.confusion import EMPTY, Confused, confusion_picture, most_confused, scores_confusion
from vidtok.viz.overlay import BACKGROUND, INK
from vidtok.viz.text import text_width

CLASSES = ["right", "left", "up"]
TOP = 80
"""Where the matrix begins."""
COUNTS = torch.tensor([[6, 3, 1], [3, 1, 0], [0, 0, 0]])


def test_the_most_confused_pairs_come_first():
    assert most_confused(COUNTS, most=2) == [
        Confused(label=1, taken_for=0, count=3, of=4),  # a larger share of its class than the other three
        Confused(label=0, taken_for=1, count=3, of=10),
    ]
    assert len(most_confused(COUNTS, most=9)) == 3
    assert most_confused(torch.diag(torch.tensor([4, 5])), most=9) == []


def cells(counts, corner, cell):
    """The colour near the corner of each cell, where no number stands."""
    pixels = np.asarray(confusion_picture(counts, [f"class {i}" for i in range(len(counts))], heading="test"))
    k = len(counts)
    places = [[(corner[1] + r * cell + 1, corner[0] + c * cell + 1) for c in range(k)] for r in range(k)]
    return np.array([[pixels[place] for place in row] for row in places]).astype(int)


def test_colours_follow_the_share_of_the_row():
    seen = cells(COUNTS, corner=(138, TOP), cell=213).sum(-1)
    assert seen[0, 0] > seen[0, 1] > seen[0, 2] > 0
    assert seen[1, 0] > seen[0, 0]  # 3 of 4, and 6 of 10
    assert seen[1, 2] < 10
    assert (cells(COUNTS, corner=(138, TOP), cell=213)[2] == EMPTY).all()


def test_four_hundred_classes_have_two_pixels_each():
    counts = torch.eye(400, dtype=torch.int64) * 50
    counts[7, 300] = 5
    seen = cells(counts, corner=(48, TOP), cell=2).sum(-1)
    assert (seen.diagonal() > 300).all()
    assert seen[7, 300] > 100
    assert (seen > 100).sum() == 401


@pytest.mark.parametrize("k", [2, 40, 41, 1000])
def test_pictures_stay_of_a_size_to_look_at(k):
    picture = confusion_picture(torch.eye(k, dtype=torch.int64), [f"class {i}" for i in range(k)], heading="test")
    assert 1000 < picture.width < 1700
    assert 600 < picture.height < 1200


def changed(one, other):
    return (np.asarray(one) != np.asarray(other)).any(-1)


def test_the_names_are_written_in_order():
    # Two pictures differ where a name differs, and nowhere else: in its row's line, its column's, and the list.
    one, other = (confusion_picture(COUNTS, names, heading="") for names in (CLASSES, ["right", "LEFT", "up"]))
    different = changed(one, other)
    rows, columns = different[:, :138].any(1).nonzero()[0], different[TOP + 640 :].any(0).nonzero()[0]
    assert TOP + 213 < rows.min() <= rows.max() < TOP + 426
    assert 138 + 213 < columns.min() <= columns.max() < 138 + 426


def test_rows_and_columns_counts_and_recall_are_said(monkeypatch):
    said = []
    write = picture.write
    monkeypatch.setattr(
        picture,
        "write",
        lambda draw, place, text, **how: (said.append((place, text)), write(draw, place, text, **how))[1],
    )
    confusion_picture(COUNTS, CLASSES, heading="")
    words = [text for _, text in said]
    assert "rows: the true class; columns: what it was taken for" in words
    right = 138 + 639
    middles = {text: place[1] for place, text in said if place[0] == 132}
    beside = {place[1]: text for place, text in said if place[0] == right + 42 and place[1] > TOP}
    recall = {place[1]: text for place, text in said if place[0] > right + 42 and place[1] in beside}
    assert {name: beside[at] for name, at in middles.items()} == {"right": "10", "left": "4", "up": "0"}
    assert {name: recall.get(at) for name, at in middles.items()} == {"right": "0.60", "left": "0.25", "up": None}
    # The counts stand in their cells.
    cells = {
        (place[1] - TOP) // 213 * 3 + (place[0] - 138) // 213: text
        for place, text in said
        if 138 <= place[0] < right and TOP <= place[1] < TOP + 639
    }
    assert cells == {0: "6", 1: "3", 2: "1", 3: "3", 4: "1"}


def test_of_many_classes_those_of_lowest_recall_are_listed(monkeypatch):
    said = []
    monkeypatch.setattr(picture, "write", lambda draw, place, text, **how: said.append(text))
    counts = torch.diag(torch.full((50,), 9))
    counts[7, 8], counts[30, 8], counts[49] = 3, 1, 0
    confusion_picture(counts, [f"class {i}" for i in range(50)], heading="")
    at = said.index("lowest recall")
    assert said[at + 1 : at + 7] == ["9 of 12", "0.75  class 7", "9 of 10", "0.90  class 30", "9 of 9", "1.00  class 0"]


def test_small_cells_have_their_counts_too():
    counts = torch.diag(torch.full((40,), 12))
    other = counts.clone()
    other[3, 3] = 13
    different = changed(
        *(confusion_picture(each, [f"c{i}" for i in range(40)], heading="") for each in (counts, other))
    )
    assert different[TOP + 48 : TOP + 64, 138 + 48 : 138 + 64].any()


@pytest.mark.parametrize(("k", "named"), [(40, True), (41, False)])
def test_up_to_forty_classes_are_named(k, named):
    names = [f"class {i}" for i in range(k)]
    one, other = (
        np.asarray(confusion_picture(torch.eye(k, dtype=torch.int64), [*names[:-1], last], heading=""))
        for last in ("this", "that")
    )
    assert (one != other).any() == named


def test_scores_of_single_labels_alone_have_a_picture():
    scores = torch.eye(3)[torch.tensor([0, 1, 1, 2])]
    drawn = scores_confusion(scores, [(0,), (1,), (0,), (2,)], CLASSES, heading="")
    counts = confusion(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 0, 2]), classes=3)
    assert drawn is not None
    assert np.array_equal(np.asarray(drawn), np.asarray(confusion_picture(counts, CLASSES, heading="")))
    assert scores_confusion(scores, [(0,), (1, 2), (0,), (2,)], CLASSES, heading="") is None
    assert scores_confusion(scores[:0], [], CLASSES, heading="") is None


def written(monkeypatch, counts, names, heading=""):
    """What is written, and where."""
    said = []
    monkeypatch.setattr(picture, "write", lambda draw, place, text, **how: said.append((text, place, how)))
    drawn = confusion_picture(counts, names, heading=heading)
    monkeypatch.undo()
    return said, drawn


def test_lists_end_within_the_picture(monkeypatch):
    for k, pairs, worst in ((40, 30, 0), (50, None, 10)):
        counts = torch.ones(k, k, dtype=torch.int64)
        said, drawn = written(monkeypatch, counts, [f"class {i}" for i in range(k)])
        listed = [text for text, *_ in said if " → " in text and not text.startswith("most")]
        assert len(listed) == pairs if pairs else 10 < len(listed) <= 30
        shares = [text for text, *_ in said if text.startswith("0.0") and "class" in text]
        assert len(shares) == worst
        assert max(place[1] for _, place, _ in said) < drawn.height
        downs = [place[1] for text, place, _ in said if text.startswith("1 of ")]
        assert len(set(downs)) == len(downs) == len(listed) + worst
    said, _ = written(monkeypatch, torch.eye(2, dtype=torch.int64), ["a", "b"])
    assert "none" in [text for text, *_ in said]


def test_a_heading_may_be_as_wide_as_the_picture(monkeypatch):
    said, drawn = written(monkeypatch, COUNTS, CLASSES, heading="words " * 40)
    assert said[0][0].endswith("…")
    assert 0.95 * drawn.width < text_width(said[0][0], size=14) <= drawn.width - 16


def test_numbers_stand_at_the_lines_of_many_classes(monkeypatch):
    for k, step in ((100, 20), (200, 20), (201, 100), (400, 100)):
        said, _ = written(monkeypatch, torch.eye(k, dtype=torch.int64), [f"class {i}" for i in range(k)])
        cell = round(640 / k)
        beside = {text: place for text, place, how in said if text.isdecimal() and how.get("anchor") == "ra"}
        below = {text: place for text, place, how in said if text.isdecimal() and "anchor" not in how}
        assert list(beside) == list(below) == [str(number) for number in range(0, k, step)]
        assert beside[str(step)][1] - beside["0"][1] == step * cell
        assert below[str(step)][0] - below["0"][0] == step * cell
        assert below["0"][1] > TOP + k * cell


def test_digits_are_no_larger_than_their_cells_and_dark_on_light_ones(monkeypatch):
    for k, most in ((2, 100), (40, None)):  # three digits do not fit into the smallest named cells
        counts = torch.full((k, k), 1) + torch.eye(k, dtype=torch.int64) * 99
        said, _ = written(monkeypatch, counts, [f"class {i}" for i in range(k)])
        cell = round(640 / k)
        own = [(text, how) for text, _, how in said if how.get("anchor") == "mm"]
        assert {how["size"] for text, how in own if len(text) == 1} == {12}
        assert all(text_width(text, size=how["size"]) <= cell - 2 for text, how in own)
        assert {how["size"] for text, _, how in said if text == "class 1"} == {13}
        assert {text: how["fill"] for text, how in own} == {"1": INK} | ({"100": BACKGROUND} if most else {})
