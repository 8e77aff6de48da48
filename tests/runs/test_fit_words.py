"""What `fit` says of a set and of a figure."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from vidtok.data.groups import Joined
from vidtok.data.survey import Seen
from vidtok.runs.fit_words import result_words, set_words, short_note
from vidtok.train.nested import Videos

CLASSES = ("bend", "jump", "wave")
LABELS = [(0,), (0,), (1,), (1,), (2,), (2,)]
COUNTED = Counter({0: 2, 1: 2, 2: 2})
PATHS = [Path(f"{name}.mp4") for name in "abcdef"]


def test_a_set_without_oddities_is_its_counts():
    joined = Joined(groups=tuple(range(6)), copies=())
    assert set_words(COUNTED, CLASSES, range(6), joined, LABELS, PATHS) == ["classes: bend 2, jump 2, wave 2"]


def test_what_is_odd_about_a_set_is_named():
    joined = Joined(groups=(0, 0, 2, 2, 4, 0), copies=((0, 1), (2, 3), (0, 5)), contradictions=((0, 5),))
    lines = set_words(COUNTED, CLASSES, [0, 1, 2, 2, 4, 5], joined, LABELS, PATHS)
    assert lines[1].startswith("note: 2 pairs of clips look like copies or mirrored copies, such as a.mp4 and b.mp4;")
    assert lines[2] == "note: a.mp4 (bend) and f.mp4 (wave) look the same, but for their labels"
    assert lines[3] == "3 groups of videos stay together (5 before copies joined them)"
    assert [line.partition(": ")[2].partition(":")[0] for line in lines[4:]] == [
        "all 2 videos of bend belong to one group",
        "all 2 videos of jump belong to one group",
    ]


def told(*, half: float | None = None, multi: bool = False, value: float = 0.5) -> list[str]:
    """Of three mistakes of six, the second one told with most certainty."""
    logits = torch.tensor([[2.0, 0, 0], [0, 3, 0], [5, 0, 0], [0, 2, 0], [0, 1, 0], [0, 0, 2]], dtype=torch.float64)
    videos = Videos(labels=LABELS, groups=range(6), folds=(0, 1) * 3, classes=3)
    hits = [True, False, False, True, False, True]
    return result_words(value, half, COUNTED, hits, logits, videos, CLASSES, PATHS, multi=multi)


def test_mistakes_are_named_the_surest_first():
    assert told() == [
        "the largest class alone is 0.33",
        "3 wrong: bend taken for jump (1), jump taken for bend (1), wave taken for jump (1)",
        "  c.mp4: jump, taken for bend",
        "  b.mp4: bend, taken for jump",
        "  e.mp4: wave, taken for jump",
    ]


def test_the_learning_curve_is_told_where_there_is_one():
    assert told(half=0.4, multi=True) == [
        "with half of the clips 0.40; twice as many would give about +0.10, if it goes on so",
        "guessing alone would have about 0.33",
    ]


@pytest.mark.parametrize(
    ("value", "half", "words"),
    [
        (0.95, 0.80, "twice as many would give about +0.05, if it goes on so"),  # not +0.15: there is nothing above 1
        (0.80, 0.81, "more of the same kind would hardly help; other ones may, or another encoder"),
        (0.80, 0.794, "twice as many would give about +0.01, if it goes on so"),
        (1.0, 0.9, "more of the same kind cannot raise the figure: try harder ones"),
    ],
)
def test_the_learning_curve_promises_nothing_that_cannot_be(value, half, words):
    assert told(half=half, multi=True, value=value)[0] == f"with half of the clips {half:.2f}; {words}"


def test_short_videos_are_told_with_the_shortest_one():
    def seen(name: str, frames: int) -> Seen:
        return Seen(name=name, picture=(4, 4), frames=frames, is_short=frames < 8)

    assert short_note([seen("a.mp4", 8), seen("b.mp4", 30)], frames=8) is None
    note = short_note([seen("a.mp4", 5), seen("b.mp4", 3), seen("c.mp4", 9)], frames=8)
    assert note is not None
    assert note.startswith("note: 2 of 3 videos looked at have fewer than 8 frames (b.mp4 has 3): ")
    assert note.endswith(" --frames 3")
    picture = short_note([seen("a.jpg", 1)], frames=8)
    assert picture is not None
    assert picture.endswith(" --frames 2")


def test_of_unequal_classes_the_mean_over_them_is_told_too():
    """Nine of ten are right, by saying the large class of all of them."""
    labels, logits = [(0,)] * 9 + [(1,)], torch.tensor([[1.0, 0.0]] * 10).double()
    videos = Videos(labels=labels, groups=range(10), folds=(0, 1) * 5, classes=2)
    paths = [Path(f"{k}.mp4") for k in range(10)]
    counted = Counter({0: 9, 1: 1})
    lines = result_words(0.9, None, counted, [True] * 9 + [False], logits, videos, ("a", "b"), paths, multi=False)
    assert lines[0] == "the largest class alone is 0.90; every class counted the same, the figure is 0.50"


def test_groups_that_copies_join_are_fewer_than_those_that_were_given():
    own = ["p1", "p1", "p2", "p2", "p3", "p3"]
    joined = Joined(groups=("p1", "p1", "p1", "p1", "p3", "p3"), copies=((0, 2),))
    lines = set_words(COUNTED, CLASSES, own, joined, LABELS, PATHS)
    assert "2 groups of videos stay together (3 before copies joined them)" in lines
    alone = Joined(groups=tuple(own), copies=())
    assert "3 groups of videos stay together" in set_words(COUNTED, CLASSES, own, alone, LABELS, PATHS)
