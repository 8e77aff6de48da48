"""A report that survives being cut off."""

from pathlib import Path

import pytest

from vidtok.errors import DataError
from vidtok.runs.report import FileReport, bytes_of, named_bad, named_damaged

COLUMNS = ("path", "ok", "cause")


def row(path: str, ok: str = "yes", cause: str = "") -> dict[str, str]:
    return {"path": path, "ok": ok, "cause": cause}


def test_rows_are_there_at_once_and_in_the_next_run(tmp_path: Path):
    path = tmp_path / "new" / "report.csv"
    with FileReport(path, COLUMNS) as report:
        report.add(row("a, b.mp4"))
        report.add(row("c.mp4", "no", 'it said "no"\ntwice'))
        assert path.read_text().count("\n") == 4
        report.add(row("a, b.mp4", "no", "changed"))
    with FileReport(path, COLUMNS) as report:
        assert report.rows == {
            "a, b.mp4": row("a, b.mp4", "no", "changed"),
            "c.mp4": row("c.mp4", "no", 'it said "no"\ntwice'),
        }
    with FileReport(path, COLUMNS, fresh=True) as report:
        assert report.rows == {}


def test_a_row_that_was_cut_off_does_not_count(tmp_path: Path):
    path = tmp_path / "report.csv"
    with FileReport(path, COLUMNS) as report:
        report.add(row("a.mp4"))
        report.add(row("b.mp4"))
    path.write_text(path.read_text()[:-6])
    with FileReport(path, COLUMNS) as report:
        assert [*report.rows] == ["a.mp4"]
        report.add(row("c.mp4"))
    assert path.read_text() == "path,ok,cause\na.mp4,yes,\nc.mp4,yes,\n"


def test_another_file_is_not_overwritten(tmp_path: Path):
    path = tmp_path / "report.csv"
    path.write_text("path,labels\na.mp4,0\n")
    for fresh in (False, True):
        with pytest.raises(DataError, match="is in the way"):
            FileReport(path, COLUMNS, fresh=fresh)
    assert path.read_text() == "path,labels\na.mp4,0\n"


def test_words(tmp_path: Path):
    rows = [row("a"), *(row(f"b{i}", "no", "broken") for i in range(12))]
    lines = named_bad(rows)
    assert (lines[0], lines[1], lines[-1], len(lines)) == ("13 files, 12 bad", "  b0: broken", "  and 2 more", 12)
    (tmp_path / "a").write_bytes(b"12345")
    assert [bytes_of(tmp_path / "a"), bytes_of(tmp_path), bytes_of(tmp_path / "none")] == ["5", "", ""]


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"report.csv: cannot be written: .*; name another folder"):
        FileReport(tmp_path / "file" / "report.csv", COLUMNS)


def test_ten_files_are_named_and_the_others_counted():
    for count, more in ((10, []), (11, ["  and 1 more"])):
        bad = [row(f"{number}.mp4", ok="no", cause="gone") for number in range(count)]
        said = named_bad([*bad, row("good.mp4")])
        assert said[0] == f"{count + 1} files, {count} bad"
        assert said[1:] == [f"  {number}.mp4: gone" for number in range(10)] + more
        damaged = [row(f"{number}.mp4") | {"damaged_frames": "3", "frames": "20"} for number in range(count)]
        others = [row("x") | {"damaged_frames": damage, "frames": "2"} for damage in ("", "0")]
        others.append(row("y", ok="no") | {"damaged_frames": "2", "frames": "2"})
        said = named_damaged([*others, *damaged])
        assert said[0] == f"with damaged frames: {count}, see the report"
        assert said[1:] == [f"  {number}.mp4: 3 of 20" for number in range(10)] + more
    assert named_damaged(others) == []
