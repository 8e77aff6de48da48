"""Lists written anew keep every byte that they can."""

from pathlib import Path

import pytest

from vidtok.data.list_file import read_list_file
from vidtok.data.lists import read_list
from vidtok.errors import DataError

PATHS = b'\xef\xbb\xbfk/a.mp4 0\r\n\r\n"air drum/b 7.mp4" 1 17\r\nk/a.mp4 3\r\n  k/c.mp4\t2\n\n'
CSV = (
    b"video_id,path,labels,note\n"
    b"a.mp4,k/a.mp4,0,\n"
    b'"x, y","k/b, c.mp4",1;17,"two\nlines"\n\n'
    b"c,k/a.mp4,3,again\r\n"
    b"d,k/d.mp4,jump,\n"
)


@pytest.fixture
def paths(tmp_path: Path) -> Path:
    (tmp_path / "list.csv").write_bytes(PATHS)
    return tmp_path / "list.csv"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_bytes(CSV)
    return tmp_path / "table.csv"


def test_nothing_changes_where_nothing_is_left_out(paths: Path, table: Path):
    for path in (paths, table):
        assert read_list_file(path).without(()) == path.read_bytes()


def test_names(paths: Path, table: Path):
    assert read_list_file(paths).names == ["k/a.mp4", "air drum/b 7.mp4", "k/a.mp4", "k/c.mp4"]
    assert read_list_file(table).names == ["k/a.mp4", "k/b, c.mp4", "k/a.mp4", "k/d.mp4"]


def test_rows_are_left_out_whole(paths: Path, table: Path):
    assert read_list_file(paths).without({"k/a.mp4"}) == b'\xef\xbb\xbf\r\n"air drum/b 7.mp4" 1 17\r\n'[3:] + (
        b"  k/c.mp4\t2\n\n"
    )
    assert read_list_file(paths).without({"air drum/b 7.mp4"}) == PATHS.replace(b'\r\n"air drum/b 7.mp4" 1 17\r\n', b"")
    assert read_list_file(table).without({"k/b, c.mp4"}) == CSV.replace(
        b'"x, y","k/b, c.mp4",1;17,"two\nlines"\n', b""
    ).replace(b"\n\nc,", b"\n\nc,")


def test_names_are_replaced(paths: Path, table: Path, tmp_path: Path):
    new = {"k/a.mp4": "k/a_.mp4", "air drum/b 7.mp4": "air drum/b 8.mp4", "k/b, c.mp4": "k/b, d.mp4"}
    assert read_list_file(paths).renamed(new) == (
        b'\xef\xbb\xbfk/a_.mp4 0\r\n\r\n"air drum/b 8.mp4" 1 17\r\nk/a_.mp4 3\r\n\n'
    )
    assert read_list_file(table).renamed(new) == (
        b'video_id,path,labels,note\na.mp4,k/a_.mp4,0,\n"x, y","k/b, d.mp4",1;17,"two\nlines"\nc,k/a_.mp4,3,again\n'
    )


def test_the_result_reads_to_the_same_records(paths: Path, tmp_path: Path):
    listed = read_list_file(paths)
    (tmp_path / "new.csv").write_bytes(listed.renamed({name: f"new/{name}" for name in listed.names}))
    old, new = read_list(paths), read_list(tmp_path / "new.csv")
    assert [record.labels for record in new] == [record.labels for record in old]
    assert [record.path for record in new] == [tmp_path / "new" / record.path.relative_to(tmp_path) for record in old]


def test_other_lists_are_refused(tmp_path: Path):
    (tmp_path / "official.csv").write_text("label,youtube_id,time_start\nabseiling,abc,1 x\n")
    with pytest.raises(DataError, match=r"(?s)official.csv:1: .*tools/make_lists.py"):
        read_list_file(tmp_path / "official.csv")
    with pytest.raises(DataError, match=r"none.csv: no such list or folder"):
        read_list_file(tmp_path / "none.csv")
    (tmp_path / "short.csv").write_text("labels,path\n1,a.mp4\n2\n")
    with pytest.raises(DataError, match=r"short.csv:3: 1 cells"):
        read_list_file(tmp_path / "short.csv")
