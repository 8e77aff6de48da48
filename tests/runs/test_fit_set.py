"""The videos that fit learns from."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from vidtok.data.records import Records
from vidtok.errors import ConfigError, DataError
from vidtok.infer.summarise import CONTROLS
from vidtok.runs.fit_model import SUMMARIES
from vidtok.runs.fit_set import (
    EncodedVideos,
    VideoList,
    check_set,
    count_folds,
    divide_set,
    read_set,
    stacked,
    usual_folds,
)


def folder(root: Path, **counts: int) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.mp4").touch()
    return root


def test_a_folder_is_read_with_its_classes(tmp_path, capsys):
    found = read_set(folder(tmp_path / "clips", red=2, blue=3), root=None, classes=None, format="auto")
    assert (found.classes, found.kind, len(found.records)) == (("blue", "red"), "softmax", 5)
    assert "5 records" in capsys.readouterr().out


def test_a_list_of_numbers_wants_their_names(tmp_path):
    (tmp_path / "list.csv").write_text("a.mp4 0\nb.mp4 1\n")
    given = {"root": None, "format": "auto"}
    with pytest.raises(ConfigError, match=r"--classes: .*list\.csv writes labels as numbers"):
        read_set(tmp_path / "list.csv", classes=None, **given)
    (tmp_path / "names.txt").write_text("red\nblue\n")
    assert read_set(tmp_path / "list.csv", classes=tmp_path / "names.txt", **given).classes == ("red", "blue")


def test_several_labels_are_scored_each_by_itself(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\na.mp4,red;blue\nb.mp4,blue\n")
    assert read_set(tmp_path / "list.csv", root=None, classes=None, format="auto").kind == "sigmoid"


@pytest.mark.parametrize(
    ("wanted", "counted", "groups", "folds", "note"),
    [
        (5, {0: 6, 1: 7}, range(13), 5, ""),
        (5, {0: 3, 1: 7}, range(10), 3, "note: 3 folds instead of 5: a has 3 videos\n"),
        (5, {0: 6, 1: 4}, [0, 1] * 5, 2, "note: 2 folds instead of 5: there are 2 groups\n"),
        (2, {0: 2, 1: 2}, range(4), 2, ""),
    ],
)
def test_folds_are_as_many_as_groups_and_videos_allow(wanted, counted, groups, folds, note, capsys):
    assert count_folds(wanted, counted, "ab", list(groups), source="clips") == folds
    assert capsys.readouterr().out.startswith(note)


@pytest.mark.parametrize(
    ("counted", "groups", "folds"),
    [
        ({0: 36, 1: 36}, range(9), 9),
        ({0: 36, 1: 36}, range(10), 10),
        ({0: 36, 1: 36}, range(11), 5),
        ({0: 36, 1: 36}, range(4), 5),  # count_folds says why there are fewer
        ({0: 36, 1: 9}, range(9), 9),
        ({0: 36, 1: 8}, range(9), 5),
    ],
)
def test_one_of_a_few_groups_is_left_out_at_a_time(counted, groups, folds):
    assert usual_folds(counted, [name for name in groups for _ in range(3)]) == folds


@pytest.mark.parametrize(
    ("counted", "classes", "groups", "words"),
    [
        ({0: 9}, "a", range(9), "clips: has one class, 'a'"),
        ({0: 9}, "abc", range(9), "clips: no readable video shows b, c"),
        ({0: 9, 1: 1}, "ab", range(10), "nothing can be left out to measure with: 10 groups, and b has 1 videos"),
        ({0: 5, 1: 5}, "ab", [0] * 10, "nothing can be left out to measure with: 1 groups"),
    ],
)
def test_what_cannot_be_measured_is_refused(counted, classes, groups, words):
    with pytest.raises(DataError, match=words):
        count_folds(5, counted, classes, list(groups), source="clips")


def test_what_cannot_be_is_told_before_anything_is_encoded(tmp_path):
    def listed(**counts: int) -> VideoList:
        return read_set(folder(tmp_path / "_".join(counts), **counts), root=None, classes=None, format="auto")

    check_set(listed(red=2, blue=3), group=None)
    with pytest.raises(DataError, match="nothing can be left out to measure with: 5 groups, and two has 1 videos"):
        check_set(listed(one=4, two=1), group=None)
    with pytest.raises(DataError, match="which has no columns"):
        check_set(listed(a=2, b=2), group="person")


def test_parts_stand_side_by_side_in_double_precision():
    parts = dict.fromkeys(part for name in SUMMARIES for part in name.split("_"))
    vectors = [{f"plain.{part}": torch.full((k + 2,), float(row)) for k, part in enumerate(parts)} for row in range(3)]
    found = stacked(vectors, "plain")
    assert list(found) == list(parts) == ["mean", "time", "maps", "motion"]
    for k, x in enumerate(found.values()):
        assert x.dtype == torch.float64
        assert torch.equal(x, torch.arange(3.0).double()[:, None].expand(3, k + 2))


def encoded_set(tmp_path, *, bad=(), alike=()):
    """Thirteen videos of p0 … p12, without the rows `bad`; a pair of rows `alike` has the same pictures."""
    paths = [f"p{k}/{k}.mp4" for k in range(13)]
    records = Records(paths, [(k % 2,) for k in range(13)], root=tmp_path, source=tmp_path / "list.csv")
    rows = [k for k in range(13) if k not in bad]
    thumbnails = torch.from_numpy(np.random.default_rng(0).normal(size=(len(rows), 4, 16, 16))).float()
    for one, other in alike:
        thumbnails[rows.index(other)] = thumbnails[rows.index(one)]
    encoded = EncodedVideos(
        rows=rows,
        features={control: {} for control in CONTROLS},
        one_frame={},
        thumbnails=thumbnails,
        tokens=[{}] * len(rows),
        failed=len(bad),
    )
    return VideoList(source="list.csv", records=records, classes=("even", "odd"), kind="softmax"), encoded


@pytest.mark.parametrize(("group", "folds", "parts"), [(None, None, 5), (r"(\d)\.mp4", None, 6), (r"(\d)\.mp4", 3, 3)])
def test_named_groups_are_left_out_one_at_a_time(tmp_path, group, folds, parts):
    """Ten last digits, of which copies join five: six are left."""
    listed, encoded = encoded_set(tmp_path, alike=[(3, 4), (4, 5), (5, 6), (6, 7)])
    videos = divide_set(listed, encoded, group=group, folds=folds, seed=0)
    assert len(set(videos.folds)) == parts
    if parts == 6:
        assert all(
            (one == other) == (mine == yours)
            for one, mine in zip(videos.groups, videos.folds, strict=True)
            for other, yours in zip(videos.groups, videos.folds, strict=True)
        )


def test_groups_and_copies_are_in_one_fold_and_unread_videos_in_none(tmp_path, capsys):
    """Row 3 cannot be read; 0 and 6 are copies of one another, and of groups of their own."""
    listed, encoded = encoded_set(tmp_path, bad=[3], alike=[(0, 6)])
    rows, records = encoded.rows, listed.records
    videos = divide_set(listed, encoded, group=None, folds=3, seed=0)
    assert videos.labels == [records[row].labels for row in rows]
    assert Counter(label for own in videos.labels for label in own) == {0: 7, 1: 5}
    assert len(set(videos.folds)) == 3
    assert videos.folds[rows.index(6)] == videos.folds[rows.index(0)]
    said = capsys.readouterr().out
    assert said.startswith("classes: even 7, odd 5\n")
    assert "1 pairs of clips look like copies" in said
