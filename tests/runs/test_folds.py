"""vidtok folds: parts with their share of each class, in which groups and copies stay together."""

import csv
import shutil

import pytest

from tests.runs.commands import asks_for_the_defaults
from vidtok.cli.folds import run
from vidtok.data.folds import read_folds
from vidtok.data.lists import open_list, read_classes
from vidtok.errors import ConfigError, DataError
from vidtok.runs.folds import divide_off, part_words, run_folds


def clips(folder, people=6, names=("jump", "run", "wave")):
    """A file of its own bytes for each person and class."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for person in range(people):
            (folder / name / f"s{person}_{name}.mp4").write_bytes(f"{name} {person}".encode())
    return folder


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_folds_are_what_cross_validation_reads(tmp_path, capsys):
    source = clips(tmp_path / "clips")
    assert run([str(source), "--to", str(tmp_path / "out"), "--folds", "3", "--group", r"/s(\d+)_"]) == 0
    rows = table(tmp_path / "out" / "labels.csv")
    assert [set(row) for row in rows] == [{"path", "labels", "video_id", "group", "fold"}] * 18
    for person in range(6):
        assert len({row["fold"] for row in rows if f"/s{person}_" in row["path"]}) == 1
    for fold in "012":
        assert sorted(row["labels"] for row in rows if row["fold"] == fold) == ["0", "0", "1", "1", "2", "2"]
    assert {row["group"] for row in rows} == set("012345")
    found = read_folds(tmp_path / "out" / "labels.csv")
    assert (found.folds, found.classes) == (["0", "1", "2"], ("jump", "run", "wave"))
    assert "fold 2: 6 videos | jump 2, run 2, wave 2\n" in capsys.readouterr().out


def test_five_folds_where_nothing_is_said_and_another_seed_divides_otherwise(tmp_path):
    source = clips(tmp_path / "clips", people=10)
    one, same, other = (
        run_folds(source, tmp_path / name, seed=seed) for name, seed in zip("abc", (0, 0, 1), strict=True)
    )
    assert sorted(set(one)) == [0, 1, 2, 3, 4]
    assert one == same != other


def test_a_validation_list_has_its_share_and_both_have_all_classes(tmp_path):
    source = clips(tmp_path / "clips", people=10)
    assert run([str(source), "--to", str(tmp_path / "out"), "--val", "0.2"]) == 0
    classes = read_classes(tmp_path / "out" / "classes.txt")
    train, val = (
        open_list(tmp_path / "out" / f"{part}.csv", root=None, classes=classes, format="auto", part="train")[0]
        for part in ("train", "val")
    )
    assert (len(train), len(val)) == (24, 6)
    assert sorted(record.labels for record in val) == [(0,), (0,), (1,), (1,), (2,), (2,)]
    assert not {record.path.resolve() for record in train} & {record.path.resolve() for record in val}
    assert all(record.path.is_file() for record in (*train, *val))


def test_copies_stay_together_though_their_names_differ(tmp_path, capsys):
    source = clips(tmp_path / "clips")
    for person in range(6):
        shutil.copy(source / "run" / f"s{person}_run.mp4", source / "run" / f"again_{person}.mp4")
    for seed in range(3):
        run_folds(source, tmp_path / "out", folds=3, seed=seed)
        fold = {row["path"].split("/")[-1]: row["fold"] for row in table(tmp_path / "out" / "labels.csv")}
        assert all(fold[f"again_{person}.mp4"] == fold[f"s{person}_run.mp4"] for person in range(6))
    assert "note: 6 files are copies, such as" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("share", "groups", "taken"),
    [(0.2, 10, 2), (0.3, 10, 3), (0.01, 40, 2), (0.99, 40, 38), (0.5, 2, 1), (0.1, 3, 1), (0.9, 3, 2)],
)
def test_the_share_is_met_as_far_as_groups_allow(share, groups, taken):
    parts = divide_off([(0,)] * groups, list(range(groups)), share=share, seed=0)
    assert sum(parts) == taken


def test_a_class_that_a_part_lacks_is_told(tmp_path, capsys):
    source = clips(tmp_path / "clips")
    for path in sorted((source / "wave").iterdir())[1:]:
        path.unlink()
    run_folds(source, tmp_path / "out", folds=2)
    assert "has no video of wave: too few groups" in capsys.readouterr().out


def test_what_cannot_be_divided_is_refused(tmp_path):
    source = clips(tmp_path / "clips")
    with pytest.raises(ConfigError, match="--folds and --val: choose one"):
        run_folds(source, tmp_path / "out", folds=3, val=0.5)
    for share in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(ConfigError, match=r"--val .*above 0 and below 1"):
            run_folds(source, tmp_path / "out", val=share)
    with pytest.raises(DataError, match="19 folds of 18 videos in 18 groups"):
        run_folds(source, tmp_path / "out", folds=19)
    with pytest.raises(DataError, match="all videos belong to one group"):
        run_folds(source, tmp_path / "out", val=0.2, group="/(clips)/")
    with pytest.raises(DataError, match="is not found in"):
        run_folds(source, tmp_path / "out", group=r"/(x\d)_")


def test_lists_are_not_written_over_and_missing_files_are_named(tmp_path):
    source = clips(tmp_path / "clips")
    run_folds(source, tmp_path / "out")
    before = (tmp_path / "out" / "labels.csv").read_text()
    with pytest.raises(ConfigError, match="holds the list that is read"):
        run_folds(tmp_path / "out" / "labels.csv", tmp_path / "out", classes=tmp_path / "out" / "classes.txt")
    assert (tmp_path / "out" / "labels.csv").read_text() == before
    (source / "run" / "s3_run.mp4").unlink()
    with pytest.raises(DataError, match=r"s3_run.mp4: No such file"):
        run_folds(tmp_path / "out" / "labels.csv", tmp_path / "b", classes=tmp_path / "out" / "classes.txt")
    with pytest.raises(ConfigError, match="writes labels as numbers"):
        run_folds(tmp_path / "out" / "labels.csv", tmp_path / "b", classes=None)


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("folds", run_folds, "a", "--to", "b")


def test_parts_in_words():
    classes = [f"c{k}" for k in range(9)]
    labels = [(k,) for k in range(8)] + [(0, 1), (8,)]
    said = part_words(labels, [0] * 9 + [1], classes, named=("train", "val"))
    assert said[0] == "train: 9 videos | c0 2, c1 2, c2 1, c3 1, c4 1, c5 1, c6 1, c7 1, …"
    assert said[1] == "note: train has no video of c8: too few groups of these to go round"
    assert said[3] == "note: val has no video of c0, c1, c2, c3, c4: too few groups of these to go round"
    assert part_words([(0,), (1,)], [0, 0], classes[:2], named=None) == ["fold 0: 2 videos | c0 1, c1 1"]
