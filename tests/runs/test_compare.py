"""Runs side by side: the table, the test, the videos on which they differ, and what cannot be compared."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import called
from tests.runs.scored import write_scored
from vidtok.errors import DataError
from vidtok.infer.paired import mcnemar
from vidtok.runs.compare import SHOWN, read_scores, run_compare

CLASSES = ["a", "b"]
LABELS = [(0,), (0,), (1,), (1,), (0,), (1,)]


def scores_of(guesses, sure=0.75):
    return torch.tensor([[sure, 1 - sure] if guess == 0 else [1 - sure, sure] for guess in guesses])


@pytest.fixture
def two(tmp_path):
    """Of six videos and a failed one the first gets four, the second five; one is right in the first alone."""
    first = write_scored(tmp_path / "one", scores_of([0, 0, 1, 1, 1, 0]), LABELS, CLASSES, failed=[(1,)])
    second = write_scored(tmp_path / "two" / "test", scores_of([0, 1, 1, 1, 0, 1]), LABELS, CLASSES, failed=[(1,)])
    return first, second.parent


def test_two_runs(two, tmp_path):
    one, two = two
    done = called("compare", one, two, "--out", tmp_path / "differ.csv")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "7 videos in 7 groups, 2 classes | top1 with its 95% interval, 1000 draws"
    assert lines[1].startswith(f"{one}  0.571  0.")
    assert "| +0.143  -0." in lines[2]
    assert lines[2].endswith(f"p {mcnemar(1, 2):.3g} (McNemar, 1 against 2)")
    assert lines[3] == "3 videos are right in some and wrong in others"
    assert lines[4] == "  v1.mp4: a | a 0.75 | b 0.75"
    rows = list(csv.reader((tmp_path / "differ.csv").read_text().splitlines()))
    assert rows[0] == ["video", "label", str(one), str(two)]
    assert [row[0] for row in rows[1:]] == ["v1.mp4", "v4.mp4", "v5.mp4"]


def test_failed_videos_of_one_run_count_as_wrong(two, tmp_path):
    one, _ = two
    names = [f"v{i}.mp4" for i in range(6)]
    other = write_scored(
        tmp_path / "lost", scores_of([0, 0, 1, 1, 0, 1, 1]), [*LABELS, (1,)], CLASSES, names=[*names, "lost0.mp4"]
    )
    first, second = run_compare([one, other])
    assert (first.figure.value, second.figure.value) == (pytest.approx(4 / 7), 1.0)
    assert (second.first_alone, second.second_alone) == (0, 3)
    assert read_scores(one).says(0) == "not decoded"
    partly = replace(read_scores(one), scores=torch.tensor([[-torch.inf, 0.25]]).repeat(7, 1))
    assert partly.says(0) == "b 0.25"


def test_classes_in_another_order_are_the_same_classes(two, tmp_path):
    one, _ = two
    turned = write_scored(
        tmp_path / "turned",
        scores_of([0, 0, 1, 1, 1, 0]).flip(1),
        [(1 - own[0],) for own in LABELS],
        CLASSES[::-1],
        failed=[(0,)],
    )
    _, same = run_compare([one, turned])
    assert same.difference is not None
    assert (same.difference.value, same.difference.p) == (0.0, 1.0)


def test_several_labels_have_a_paired_bootstrap(tmp_path, capsys):
    generator = torch.Generator().manual_seed(0)
    labels = [tuple(row.nonzero()[:, 0].tolist()) for row in torch.rand(60, 3, generator=generator) < 0.4]
    hot = torch.tensor([[float(k in own) for k in range(3)] for own in labels])
    noise = torch.rand(60, 3, generator=generator)
    good, bad = 0.6 * hot + 0.4 * noise, noise
    folders = [
        write_scored(tmp_path / name, scores, labels, ["a", "b", "c"], kind="sigmoid")
        for name, scores in (("bad", bad), ("good", good), ("again", good))
    ]
    _, second, third = run_compare(folders)
    assert second.figure.value > 0.95
    assert second.difference is not None
    assert second.difference.low is not None
    assert 0.2 < second.difference.low < second.difference.value
    assert second.difference.p < 0.01
    assert third.difference == second.difference  # the same draws
    said = capsys.readouterr().out
    assert "| mAP with" in said
    assert "(paired bootstrap)" in said
    assert "with 2 pairs one below 0.025 tells" in said
    assert "right in some" not in said


@pytest.mark.parametrize("groups", [None, [f"g{i // 3:02}" for i in range(60)]], ids=["videos", "groups"])
def test_intervals_are_those_of_the_test(tmp_path, groups):
    """Where most videos show no class: what these say is how others are ranked, and they are no cases of their own."""
    generator = torch.Generator().manual_seed(1)
    labels = [(i % 2,) if i < 20 else () for i in range(60)]
    scores = torch.rand(60, 2, generator=generator)
    names = [f"v{i:02}.mp4" for i in range(60)]
    run = write_scored(tmp_path / "run", scores, labels, ["a", "b"], names=names, groups=groups, kind="sigmoid")
    told = json.loads((run / "results.json").read_text())["detail"]["figures"]["mAP"]
    first, second = run_compare([run, run])
    assert first.figure.as_dict() == pytest.approx(told)
    assert second.difference is not None
    assert second.difference.value == 0
    # The draws of one model go together wholly: what is left of its interval is how much longer one side is.
    assert second.difference.high == pytest.approx(abs(told["high"] + told["low"] - 2 * told["value"]))


def test_what_cannot_be_compared(two, tmp_path):
    one, _ = two
    names = ["v0.mp4", "x.mp4", *(f"v{i}.mp4" for i in range(2, 6))]
    videos = write_scored(tmp_path / "videos", scores_of([0] * 6), LABELS, CLASSES, names=names, failed=[(1,)])
    with pytest.raises(
        DataError, match=r"their videos differ: 1 only in the first \(v1\.mp4\), 1 only in the second \(x\.mp4\)"
    ):
        run_compare([one, videos])
    classes = write_scored(tmp_path / "classes", scores_of([0] * 6), LABELS, ["a", "c"], failed=[(1,)])
    with pytest.raises(DataError, match=r"their classes differ: 1 only in the first \(b\), 1 only in the second \(c\)"):
        run_compare([one, classes])
    labels = write_scored(tmp_path / "labels", scores_of([0] * 6), [(1,), *LABELS[1:]], CLASSES, failed=[(1,)])
    with pytest.raises(DataError, match=r"1 videos have other labels, such as v0\.mp4: 'a' and 'b'"):
        run_compare([one, labels])
    with pytest.raises(DataError, match="two runs at least"):
        run_compare([one])
    with pytest.raises(DataError, match=r"nothing: no results: neither there nor in test/"):
        run_compare([one, tmp_path / "nothing"])
    np.savez(tmp_path / "videos" / "predictions.npz", scores=np.zeros((1, 2)))
    with pytest.raises(DataError, match=r"written by an older version \(it has no 'failed'\)"):
        run_compare([one, videos])


def test_a_video_that_stands_twice_cannot_be_paired(tmp_path):
    names = ["a.mp4", "a.mp4", "b.mp4", "c.mp4", "d.mp4", "e.mp4"]
    folder = write_scored(tmp_path / "twice", scores_of([0] * 6), LABELS, CLASSES, names=names)
    with pytest.raises(DataError, match=r"a\.mp4 stands in it more than once"):
        read_scores(folder)


@pytest.mark.parametrize("more", [0, 5])
def test_of_many_videos_that_differ_some_are_said(tmp_path, capsys, more):
    count = SHOWN + more
    one = write_scored(tmp_path / "one", scores_of([0] * count), [(0,)] * count, CLASSES)
    two = write_scored(tmp_path / "two", scores_of([1] * count), [(0,)] * count, CLASSES)
    run_compare([one, two])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == f"{count} videos are right in some and wrong in others"
    rest = [f"  and {more} more; --out FILE.csv has all of them"] if more else []
    assert (len(lines), lines[4 + SHOWN :]) == (4 + SHOWN + len(rest), rest)
    run_compare([one, two], out=tmp_path / "differ.csv")
    assert [line for line in capsys.readouterr().out.splitlines() if " more" in line] == [
        line.partition(";")[0] for line in rest
    ]
