"""webdataset's shards as lists: patterns, labels, what is refused."""

import pickle
import zipfile
from pathlib import Path

import fsspec
import pytest

from tests.data.formats.sample_list import write_tar
from tests.video.clips import make_clip
from vidtok.data.dataset import open_record
from vidtok.data.formats.shards import MOST_LABEL_BYTES, expand, is_shards
from vidtok.data.lists import check_files, describe, open_list, read_list
from vidtok.errors import ConfigError, DataError


def refused(folder: Path, members: dict[str, bytes], words: str) -> None:
    archive = write_tar(folder / "s.tar", members)
    with pytest.raises(DataError, match=words):
        open_list(archive)


def test_patterns(tmp_path: Path):
    assert [str(path) for path in expand(Path("a-{08..11}.tar"))] == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert [str(path) for path in expand(Path("{0..1}/a-{1..2}.tar"))] == [
        "0/a-1.tar",
        "0/a-2.tar",
        "1/a-1.tar",
        "1/a-2.tar",
    ]
    assert is_shards(Path("s3://bucket/a-{0..1}.tar"))
    assert not is_shards(Path("a.tar"))  # which is not there
    for bad in ("{3..1}", "{0..100000}"):
        with pytest.raises(DataError, match=r"goes from a number to a higher one, and at most 100000"):
            list(expand(Path(f"a-{bad}.tar")))
    write_tar(tmp_path / "a-0.tar", {"a.mp4": b"", "a.cls": b"0"})
    with pytest.raises(DataError, match=r"a-\{0..1\}.tar: there is no .*a-1.tar"):
        open_list(tmp_path / "a-{0..1}.tar")
    write_tar(tmp_path / "{0..1}.tar", {"a.mp4": b"", "a.cls": b"5"})  # a file that is called so
    assert open_list(tmp_path / "{0..1}.tar")[0][0].labels == (5,)


def test_records_are_read_where_they_lie(tmp_path: Path):
    content = make_clip(tmp_path / "a.mp4", frames=12).read_bytes()
    archive = write_tar(
        tmp_path / "s.tar",
        {"a.mp4": content, "a.txt": b"run\n", "b.mp4": content, "b.json": b'{"label": "jump"}', "b.txt": b"a caption"},
    )
    records, classes = open_list(archive)
    assert (classes, [record.labels for record in records]) == (("jump", "run"), [(1,), (0,)])
    assert (
        describe(records)
        == f"{archive}: 2 records, read as shards (webdataset's tar archives: train-{{000000..000012}}.tar)"
    )
    check_files(records)
    with open_record(records[1], backend="pyav") as video:
        assert len(video) == 12
    # A list may name members as well, and says which are not there.
    (tmp_path / "list.txt").write_text("s.tar/a.mp4 0\ns.tar/c.mp4 1\n")
    with pytest.raises(DataError, match=r"1 of 2 files looked for are missing, the first of them:\n  .*s.tar/c.mp4"):
        check_files(read_list(tmp_path / "list.txt"))


def test_shards_and_lists_behind_urls(tmp_path: Path):
    content = make_clip(tmp_path / "a.mp4", frames=12).read_bytes()
    memory = fsspec.filesystem("memory")
    memory.pipe("/shards/s-0.tar", write_tar(tmp_path / "s.tar", {"a.mp4": content, "a.cls": b"7"}).read_bytes())
    memory.pipe("/shards/s-1.tar", write_tar(tmp_path / "s.tar", {"b.mp4": content, "b.cls": b"8"}).read_bytes())
    records = read_list("memory://shards/s-{0..1}.tar")
    assert [record.video_id for record in records] == ["s-0.tar/a.mp4", "s-1.tar/b.mp4"]
    (tmp_path / "list.csv").write_text("path,label,start,end\nmemory://shards/s-1.tar/b.mp4,1,0.1,0.2\na.mp4,0,,\n")
    mixed = read_list(tmp_path / "list.csv")
    check_files(mixed)
    for record in (*records, *mixed):
        with open_record(record, backend="pyav") as video:
            assert len(video) == 12
    (tmp_path / "bad.txt").write_text("nonsense://a/b.mp4 0\n")
    with pytest.raises(ConfigError, match="nonsense://: fsspec knows no such scheme"):
        read_list(tmp_path / "bad.txt")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.mp4": b"", "a.webm": b"", "a.cls": b"0"}, r"s.tar: 'a' has several videos or pictures: mp4, webm"),
        ({"a.mp4": b"", "b.cls": b"0"}, r"s.tar: 'a' has no label \(.cls, .json with label, or .txt\); .* end in: mp4"),
        ({"a.mp4": b"", "a.cls": b" \n"}, r"s.tar: a.cls is empty"),
        ({"a.mp4": b"", "a.cls": b"-1"}, r"s.tar: 'a': a label is a whole number from 0 on"),
        ({"a.mp4": b"", "a.cls": b"\xff\xfe"}, r"s.tar: a.cls is no text in UTF-8"),
        ({"a.mp4": b"", "a.json": b"{"}, r"s.tar: a.json: not valid JSON"),
        ({"a.mp4": b"", "a.json": b"[" * 100_000}, r"s.tar: a.json: not valid JSON"),
        ({"a.mp4": b"", "a.json": b"[1]"}, r"s.tar: a.json: an object such as"),
        ({"a.mp4": b"", "a.json": b'{"label": 1.5}'}, r"s.tar: a.json: label is a whole number from 0 on or"),
        ({"a.mp4": b"", "a.json": b'{"class": 1, "action": 2}'}, r"a.json: which key is the label: class or action\?"),
        (
            {"a.mp4": b"", "a.txt": b"x" * (MOST_LABEL_BYTES + 1)},
            rf"a.txt has {MOST_LABEL_BYTES + 1} bytes; labels have",
        ),
        ({"x.txt": b""}, r"s.tar: no video with a label in it"),
        (
            {"../a.mp4": b"", "../a.cls": b"0"},
            r"s.tar: the member '../a.mp4' would lie outside of the archive's folder",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, members: dict[str, bytes], words: str):
    refused(tmp_path, members, words)


class Runs:
    """Which makes a file when it is read from a pickle."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_not_read(tmp_path: Path):
    """It would make a file, were it read."""
    code = pickle.dumps(Runs(tmp_path / "ran"))
    refused(tmp_path, {"a.mp4": b"", "a.pyd": code}, r"s.tar: a.pyd is a pickle, which can run code .*, and is not")
    (tmp_path / "list.pkl").write_bytes(code)
    with pytest.raises(DataError):
        open_list(tmp_path / "list.pkl")
    assert not (tmp_path / "ran").exists()
    pickle.loads(code)  # so that the test would see it
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["../a.mp4 0\n", "in/../../a.mp4 0\n", "path,label\n..\\a.mp4,1\n"])
def test_a_list_that_leads_out_of_its_root_is_refused(tmp_path: Path, text: str):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(
        DataError, match=r"list.csv: '.*a.mp4' leads out of .* by `..`, which lists may not: set `root`"
    ):
        open_list(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("a..b.mp4 0\nc...mp4 1\n")
    assert len(read_list(tmp_path / "list.csv")) == 2


def test_archives_of_exports_are_not_opened(tmp_path: Path):
    """No zip is read, so that none can grow."""
    with zipfile.ZipFile(tmp_path / "task.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", "<annotations/>" + " " * 1_000_000)
    with pytest.raises(DataError, match=r"task.zip: an archive, which is not opened: unpack it"):
        open_list(tmp_path / "task.zip")
