"""Records as columns: what goes in comes out, in this process and in others."""

import multiprocessing
import os
import pickle
from math import inf
from pathlib import Path

import pytest
import torch.multiprocessing

from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.types import Record

ROOT = Path("/videos")
SOURCE = Path("/lists/train.csv")
ROWS = [
    ("a.mp4", (0,), {}),
    ("b é/c d.mp4", (3, 5), {"video_id": "b"}),
    ("", (), {}),
    ("d", (1, 1), {"intervals": ((0.5, 1.5), (2.0, 2.25)), "fps": 24.0}),
    ("e.mp4", (7,), {"start_seconds": 0.0, "end_seconds": 10.1}),
    ("e.mp4", (7,), {"start_seconds": 10.1}),
    ("f\udcff.mp4", (2,), {}),
]


def build(rows):
    builder = RecordsBuilder()
    for name, labels, more in rows:
        builder.add(name, labels, **more)
    return Records.from_columns(builder.columns(), root=ROOT, source=SOURCE, form="csv", notes=["a note"])


def expected(name, labels, more):
    return Record(path=ROOT / name, labels=labels, **{"video_id": name, **more})


@pytest.mark.parametrize("first", range(len(ROWS)))
def test_what_goes_in_comes_out(first):
    """Columns that begin late, end early, or are not there at all."""
    rows = ROWS[first:] + ROWS[:first]
    for kept in (rows, rows[:3], rows[:1]):
        records = build(kept)
        assert list(records) == [expected(*row) for row in kept]
        assert len(records) == len(kept)


def test_records_behave_as_a_sequence_and_travel():
    records = build(ROWS)
    for same in (records, pickle.loads(pickle.dumps(records))):
        assert same[-1] == same[len(ROWS) - 1] == expected(*ROWS[-1])
        assert list(same) == list(records)
        assert (same.root, same.source, same.form, same.notes) == (ROOT, SOURCE, "csv", ("a note",))
    with pytest.raises(IndexError):
        records[len(ROWS)]


def test_rows_can_be_chosen():
    records = build(ROWS)
    assert list(records.subset([4, 0, 3, -1])) == [records[4], records[0], records[3], records[-1]]
    assert len(records.subset([])) == 0
    assert records.subset([1]).notes == ("a note",)
    with pytest.raises(IndexError):
        records.subset([len(ROWS)])


def test_a_label_without_a_time_beside_one_that_has_one_happens_all_the_time():
    nan = float("nan")
    assert build([("a", (1, 2), {"intervals": ((nan, nan), (1.0, 2.0))})])[0].intervals == ((0.0, inf), (1.0, 2.0))


def test_names_and_labels_alone():
    records = Records(["a.mp4", "b.mp4"], [[0], [2, 1]], root=ROOT, source=SOURCE)
    assert [record.labels for record in records] == [(0,), (2, 1)]
    with pytest.raises(ValueError, match="shorter"):
        Records(["a.mp4", "b.mp4"], [[0]], root=ROOT, source=SOURCE)


def test_label_counts_and_range():
    records = build(ROWS)
    assert records.label_counts().tolist() == [1, 2, 0, 2, 1, 1, 1]
    assert records.label_range() == (4, 7)
    assert build([("a", (), {})]).label_range() is None


def test_relabelled():
    builder = RecordsBuilder()
    builder.add("a", (0, 2))
    builder.add("b", (1,))
    columns = builder.columns(relabel=[10, 11, 12])
    assert columns.labels.tolist() == [10, 12, 11]


def _answer(records, queue):
    columns = records._columns
    queue.put((records[4], columns.names.bytes.is_shared(), columns.labels.is_shared(), columns.starts.is_shared()))


def test_a_spawned_process_shares_the_columns():
    """Processes that are not forked get the columns as shared memory, not as copies."""
    records = build(ROWS)
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_answer, args=(records, queue))
    process.start()
    process.join(120)  # what it says fits into the pipe; one that dies says nothing
    assert process.exitcode == 0
    assert queue.get() == (expected(*ROWS[4]), True, True, True)
    assert not multiprocessing.active_children()


def test_the_first_row_whose_label_has_a_time():
    assert build(ROWS).timed_row() == 3
    assert build(ROWS[3:]).timed_row() == 0
    assert build(ROWS[:3]).timed_row() is None
    assert build(ROWS[2:3]).timed_row() is None


def test_the_fingerprint_changes_with_everything_that_a_list_says():
    rows = [("a.mp4", [0], {"start_seconds": 1.0}), ("b.mp4", [1, 2], {"intervals": [(0.0, 1.0), (2.0, 3.0)]})]

    def fingerprint(rows, root="/r"):
        builder = RecordsBuilder()
        for name, labels, more in rows:
            builder.add(name, labels, **more)
        return Records.from_columns(builder.columns(), root=Path(root), source=Path(root), form="paths").fingerprint()

    def changed(row, **change):
        name, labels, more = rows[row]
        given = {"name": name, "labels": labels, **more, **change}
        more = {key: value for key, value in given.items() if key not in ("name", "labels")}
        return [*rows[:row], (given["name"], given["labels"], more), *rows[row + 1 :]]

    others = [
        rows[::-1],
        rows[:1],
        [*rows, rows[0]],
        changed(0, name="c.mp4"),
        changed(0, labels=[1]),
        changed(0, start_seconds=2.0),
        changed(0, end_seconds=2.0),
        changed(0, video_id="v"),
        changed(0, fps=25.0),
        changed(1, intervals=[(0.0, 1.0), (2.0, 3.5)]),
        changed(1, labels=[2, 1]),
        [("a.mp4", [0, 1], {"start_seconds": 1.0}), ("b.mp4", [2], {})],
    ]
    found = [fingerprint(each) for each in (rows, *others)]
    assert len(set(found)) == len(found)
    assert fingerprint(rows) == fingerprint(rows, root="/elsewhere")  # videos may be moved
    assert fingerprint(rows).startswith("2 records, ")


def test_a_column_of_labels_where_every_row_has_as_many():
    records = Records(["a", "b", "c"], [(0, 5), (2, 7), (4, 1)], root=Path("."), source=Path("x"))
    assert records.label_column(0).tolist() == [0, 2, 4]
    assert records.label_column(1).tolist() == [5, 7, 1]


def test_the_rows_of_each_class_are_counted_once():
    records = Records(["a", "b", "c"], [(0, 2, 2), (2,), ()], root=Path("."), source=Path("x"))
    assert records.class_counts(4).tolist() == [1, 0, 2, 0]


def test_bytes_that_are_no_utf8_are_a_file_s_name_or_another_encoding(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    records = Records(["a.mp4", name], [[0], [0]], root=tmp_path, source=tmp_path / "list.csv")
    with pytest.raises(DataError, match=r"not a text file in UTF-8, and no file is called 'caf\\udce9\.mp4'"):
        records.check_encoding()
    (tmp_path / name).touch()
    records.check_encoding()
    Records(["a.mp4", "é.mp4"], [[0], [0]], root=tmp_path, source=tmp_path / "list.csv").check_encoding()
