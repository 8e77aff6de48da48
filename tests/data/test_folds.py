"""The table of folds: what it reads, what it writes for a fold, and what folds may not share."""

import pytest

from vidtok.data.folds import read_folds
from vidtok.data.lists import read_list
from vidtok.errors import DataError

ROWS = """path,label,fold,subject,mirrored
"a b.mp4",wave,2,anna,0
a b_m.mp4,wave,2,anna,1
c.mp4,bend,10,bob,0
d.mp4,bend,2,anna,0
"e,f.mp4",wave,10,bob,0
"""
NUMBERS = "path,label,fold\na.mp4,0,0\nb.mp4,1,1\n"


def write(folder, text=ROWS, classes=None):
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    if classes is not None:
        (folder / "classes.txt").write_text(classes, encoding="utf-8")
    return folder / "labels.csv"


def test_classes_and_folds_are_in_order(tmp_path):
    table = read_folds(write(tmp_path))
    assert table.classes == ("bend", "wave")
    assert table.folds == ["2", "10"]
    assert table.split_subjects() == []
    assert read_folds(write(tmp_path, classes="wave\nbend\nrun\n")).classes == ("wave", "bend", "run")


def test_the_lists_of_a_fold_part_the_records(tmp_path):
    table = read_folds(write(tmp_path))
    for fold, mine in (("10", {"c.mp4": 0, "e,f.mp4": 1}), ("2", {"a b.mp4": 1, "a b_m.mp4": 1, "d.mp4": 0})):
        read = {}
        for name, text in table.lists(fold).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            records = read_list(tmp_path / name, root="clips", classes=table.classes)
            read[name] = {record.video_id: record.labels[0] for record in records}
        assert read["val.csv"] == mine
        assert len(read["train.csv"]) == 5 - len(mine)
        assert not read["train.csv"].keys() & mine.keys()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a b_m.mp4,wave,2", "a b_m.mp4,wave,10", "'a b_m.mp4' is in fold 10, its original in fold 2"),
        ("a b_m.mp4", "g.mp4", "'g.mp4' is mirrored, but of which video"),
        ("anna,1", "anna,yes", "the column `mirrored` is 0 or 1, got 'yes'"),
        ("d.mp4,bend,2", "c.mp4,bend,2", "the video 'c.mp4' is in the folds 2 and 10"),
        ("subject", "group", None),
        ("c.mp4,bend,10", "c.mp4,bend,a/b", "labels.csv:4: a fold is a number or a word"),
        ("c.mp4,bend,10,bob,0", "c.mp4,bend,10", "labels.csv:4: 3 cells, but the header has 5"),
        ("fold", "part", "no column 'fold'"),
        ("10", "2", "needs two folds or more"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path, old, new, words):
    table = write(tmp_path, ROWS.replace(old, new))
    if words is None:
        assert read_folds(table).split_subjects() == []
        table.write_text(table.read_text().replace("c.mp4,bend,10,bob", "c.mp4,bend,10,anna"))
        words = "the group 'anna' is in the folds 2 and 10"
    with pytest.raises(DataError, match=words):
        read_folds(table)


def test_labels_are_names_and_known(tmp_path):
    with pytest.raises(DataError, match="'wave' is none of the 2 classes"):
        read_folds(write(tmp_path, classes="bend\nrun\n"))
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(DataError, match=r"write the names of the classes, one per line, into .*classes\.txt"):
        read_folds(write(tmp_path, NUMBERS))


def test_numbers_are_labels_where_the_classes_have_names(tmp_path):
    assert read_folds(write(tmp_path, NUMBERS, classes="bend\nwave\n")).classes == ("bend", "wave")


def test_a_subject_in_two_folds_is_seen(tmp_path):
    table = read_folds(write(tmp_path, ROWS.replace("d.mp4,bend,2", "d.mp4,bend,10")))
    assert table.split_subjects() == ["anna"]
