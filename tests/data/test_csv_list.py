"""The project's own CSV: its cells, its errors, and writing it."""

import os
from math import inf
from pathlib import Path

import pytest

from vidtok.data.csv_list import read_column, read_csv, write_csv
from vidtok.data.lists import open_list, read_list
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError

VIDEOS = Path(os.environ.get("VIDTOK_VIDEOS", "/nonexistent"))


def write(folder, text):
    path = folder / "list.csv"
    path.write_bytes(text.encode())
    return path


def rows(folder, text, classes=None):
    return list(read_csv(write(folder, text), root=folder, classes=classes)[0])


@pytest.mark.parametrize(
    ("cell", "labels", "intervals"),
    [
        ("3", (3,), ()),
        ("3;17;92", (3, 17, 92), ()),
        (" 3 ; 17 ;", (3, 17), ()),
        ("", (), ()),
        ("92:11.9-21.2", (92,), ((11.9, 21.2),)),
        ("92:11.90-21.20;147:0-12.6", (92, 147), ((11.9, 21.2), (0.0, 12.6))),
        ("92:11.9-21.2;147", (92, 147), ((11.9, 21.2), (0.0, inf))),
        ("5:2-2;5:.5-1", (5, 5), ((2.0, 2.0), (0.5, 1.0))),
    ],
)
def test_cells_of_labels(tmp_path, cell, labels, intervals):
    (record,) = rows(tmp_path, f"path,labels\na.mp4,{cell}\n")
    assert (record.labels, record.intervals) == (labels, intervals)


def test_cells_of_names(tmp_path):
    text = 'labels,path\nwave;bend:1-2,a.mp4\n"eat; drink",b.mp4\nat 3:15,c.mp4\n1,d.mp4\n'
    first, second, third, fourth = rows(tmp_path, text, ["bend", "eat; drink", "wave", "at 3:15"])
    assert (first.labels, first.intervals) == ((2, 0), ((0.0, inf), (1.0, 2.0)))
    assert (second.labels, third.labels, fourth.labels) == ((1,), (3,), (1,))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b.mp4,1.5,,,", r"a label is a whole number from 0 on or a class's name, not '1.5'"),
        ("b.mp4,-1,,,", r"a label is a whole number from 0 on .* not '-1'"),
        ("b.mp4,wave,,,", r"numbers and names as labels in one list; names then need a class file"),
        ("b.mp4,1:3-2,,,", r"a label's time is start-end in seconds, not '3-2'"),
        ("b.mp4,1:3-2.1.4,,,", r"a label's time is start-end in seconds"),
        ("b.mp4,1,2,1,", r"the part ends at 1 s, before it begins at 2 s"),
        ("b.mp4,1,-2,1,", r"start is a number from 0 on, or empty, not '-2'"),
        ("b.mp4,1,,x,", r"end is a number from 0 on, or empty, not 'x'"),
        ("b.mp4,1,,inf,", r"end is a number from 0 on"),
        ("b.mp4,1,,,0", r"fps is above 0"),
        ("b.mp4,1,,", r"4 cells, but the header has 5"),
        ("b, c.mp4,1,,,", r"6 cells, but the header has 5; quote cells that hold the separator"),
        (",1,,,", r"the path is empty"),
        ('"b.mp4,1,,,', r"not a line of CSV"),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, message):
    with pytest.raises(DataError, match=rf"list.csv:4: {message}"):
        rows(tmp_path, f"path,labels,start,end,fps\na.mp4,0,,,\n\n{line}\n")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("thing,labels", "no column 'path'; the header is 'thing,labels'; understood are path, or filename, file,"),
        (
            "path,meaning",
            "no column 'label'; the header is 'path,meaning'; understood are .* and label,",
        ),
        ("path", "no column 'label'"),
        ("path,label,labels", "which column is the label: 'label' or 'labels'. Call that one label"),
        ("video,file,label", "which column is the path: 'video' or 'file'. Call that one path"),
        ("path,class_id,class_name", "which column is the label: 'class_id' or 'class_name'"),
        ("path,labels,path", "a column name stands twice"),
    ],
)
def test_wrong_headers_are_named(tmp_path, header, message):
    with pytest.raises(DataError, match=rf"list.csv:1: {message}"):
        rows(tmp_path, f"{header}\na.mp4,0,0\n")


def test_lists_without_records(tmp_path):
    for text in ("path,labels\n", "path,labels\n\n"):
        with pytest.raises(DataError, match=r"list.csv: the list is empty"):
            rows(tmp_path, text)


def test_text_of_another_encoding(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("path,labels\né.mp4,0\n".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_csv(path, root=tmp_path)


def test_a_column_can_be_read(tmp_path):
    path = write(tmp_path, 'path,labels,fold\na.mp4,0,2\n\n"b,\nc.mp4",1,x y\n')
    assert read_column(path, "fold") == ("2", "x y")
    assert len(read_list(path)) == 2
    with pytest.raises(DataError, match="no column 'subject'; the header is 'path,labels,fold'"):
        read_column(path, "subject")


def test_folds_are_rows_of_a_column(tmp_path):
    text = "path,label,fold\na.mp4,x,0\nb.mp4,y,1\nc.mp4,x,1\n"
    records, folds = read_list(write(tmp_path, text)), read_column(tmp_path / "list.csv", "fold")
    chosen = records.subset([row for row, fold in enumerate(folds) if fold == "1"])
    assert [(record.video_id, record.labels) for record in chosen] == [("b.mp4", (1,)), ("c.mp4", (0,))]


def test_written_records_read_back(tmp_path):
    builder = RecordsBuilder()
    builder.add("in/a, b.mp4", (3, 1))
    builder.add('in/"c"\n.mp4', (), video_id="c", start_seconds=0.1 + 0.2, end_seconds=1e-7 + 1)
    builder.add("/elsewhere/d", (0, 0), intervals=((1 / 3, 1e6), (0.0, 2.0)), fps=29.97)
    records = Records.from_columns(builder.columns(), root=tmp_path, source=tmp_path, form="csv")
    write_csv(tmp_path / "in" / "out.csv", records)
    text = (tmp_path / "in" / "out.csv").read_text()
    assert text.splitlines()[0] == "path,labels,start,end,video_id,fps"
    assert text.splitlines()[1] == '"a, b.mp4",3;1,,,"in/a, b.mp4",'
    assert list(read_list(tmp_path / "in" / "out.csv")) == list(records)


def test_columns_that_say_nothing_are_not_written(tmp_path):
    write_csv(tmp_path / "out.csv", Records(["a.mp4"], [[1]], root=tmp_path, source=tmp_path))
    assert (tmp_path / "out.csv").read_text() == "path,labels\na.mp4,1\n"


def test_names_that_are_not_utf8_are_written_and_read_as_they_are(tmp_path):
    records = Records(["\udcff.mp4", "a.mp4"], [[1], [0]], root=tmp_path, source=tmp_path)
    write_csv(tmp_path / "out.csv", records)
    assert (tmp_path / "out.csv").read_bytes() == b"path,labels\n\xff.mp4,1\na.mp4,0\n"
    (tmp_path / "\udcff.mp4").touch()
    assert list(read_list(tmp_path / "out.csv")) == list(records)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "header",
    [
        ("path", "label"),
        ("filename", "label"),
        ("file_name", "label"),
        ("video", "label"),
        ("clip_path", "label"),
        ("Path", "Label"),
        ("Video Name", "Class"),
        ("video_path", "class_name"),
        ("FilePath", "category"),
        ("image", "target"),
    ],
)
def test_tables_of_others(tmp_path, delimiter, header):
    lines = [header, ("k/a b.mp4", "wave"), ("k/c.mp4", "bend over")]
    path = write(tmp_path, "".join(f"{delimiter.join(line)}\n" for line in lines))
    records, classes = open_list(path)
    assert (records.form, classes) == ("csv", ("bend over", "wave"))
    assert [(record.path, record.labels) for record in records] == [
        (tmp_path / "k/a b.mp4", (1,)),
        (tmp_path / "k/c.mp4", (0,)),
    ]
    reversed_columns = write(tmp_path, "".join(f"{delimiter.join(('7', *line[::-1]))}\n" for line in lines))
    reversed_columns.write_text(reversed_columns.read_text().replace("7", "n", 1))
    assert list(open_list(path)[0]) == list(records)


def test_labels_that_a_table_wrote_as_fractions(tmp_path):
    assert [record.labels for record in rows(tmp_path, "path,label\na.mp4,0.0\nb.mp4,3.00;1.\n")] == [(0,), (3, 1)]
    with pytest.raises(DataError, match=r"list.csv:2: a label is a whole number .* not '0.5'"):
        rows(tmp_path, "path,label\na.mp4,0.5\n")
    assert rows(tmp_path, "path,label\na.mp4,0.5\n", ["1.0", "0.5"])[0].labels == (1,)


def test_comments(tmp_path):
    text = "# made by hand\npath,label\n# the first\n#a.mp4,0\n#b.mp4,1\nc.mp4,2\n"
    (tmp_path / "#b.mp4").touch()
    records, _ = read_csv(write(tmp_path, text), root=tmp_path)
    assert [(record.video_id, record.labels) for record in records] == [("#b.mp4", (1,)), ("c.mp4", (2,))]
    assert records.notes == ("2 lines that begin with # are comments",)
    assert read_list(tmp_path / "list.csv").form == "csv"


@pytest.mark.parametrize(
    ("classes", "label"), [(["0", "1", "2", "10"], 2), (["2", "3"], 0), (["bend", "jack", "wave"], 2)]
)
def test_numbers_where_classes_are_called_by_numbers(tmp_path, classes, label):
    assert rows(tmp_path, "path,label\na.mp4,2\n", classes)[0].labels == (label,)
    if "10" in classes:
        assert rows(tmp_path, "path,label\na.mp4,10;1:0-2\n", classes)[0].labels == (3, 1)
        with pytest.raises(DataError, match=r"list.csv:2: 3 is none of the 4 classes, whose names are numbers"):
            rows(tmp_path, "path,label\na.mp4,3\n", classes)


def test_a_table_of_real_videos():
    """Names as labels, and columns that are no concern of the reader."""
    path = VIDEOS / "weizmann4" / "labels.csv"
    if not path.is_file():
        pytest.skip("set VIDTOK_VIDEOS to a folder with weizmann4")
    records, classes = read_csv(path, root=path.parent)
    assert classes == ("bend", "jack", "wave1", "wave2")
    assert all(record.path.is_file() and record.path.parent.name == classes[record.labels[0]] for record in records)
    assert sorted(set(read_column(path, "fold"))) == [str(fold) for fold in range(9)]
    assert len(read_column(path, "subject")) == len(records) == 72


@pytest.mark.parametrize(("classes", "cells"), [(None, ["0", "1"]), (("a", "b"), ["0", "1"]), (("7", "5"), ["7", "5"])])
def test_labels_are_names_only_where_classes_are_called_by_other_numbers(tmp_path, classes, cells):
    records = Records(["a.mp4", "b.mp4"], [[0], [1]], root=tmp_path, source=tmp_path / "list.csv")
    write_csv(tmp_path / "list.csv", records, classes=classes)
    column = read_column(tmp_path / "list.csv", "labels")
    assert [str(each) for each in column] == cells
