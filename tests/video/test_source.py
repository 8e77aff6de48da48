"""Videos in archives and behind URLs: the same frames as from their files; what cannot be trusted is refused."""

import gc
import io
import sys
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from tests.data.formats.sample_list import write_tar
from tests.video.clips import GROUPS, make_clip, numbered_picture
from tests.video.serving import served
from vidtok.errors import ConfigError, DataError, DecodeError
from vidtok.video import source
from vidtok.video.cut import Cut, cut_video
from vidtok.video.reader import open_video
from vidtok.video.source import (
    check_url,
    is_stored,
    is_url,
    located,
    open_stored,
    stored_bytes,
    stored_content,
    tar_index,
    url_of,
)

INDICES = [0, 31, 59, 7]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of each container that FFmpeg looks for in another way, as files and in an archive."""
    folder = tmp_path_factory.mktemp("clips")
    for ending in ("mp4", "mkv", "ts"):
        make_clip(folder / f"a.{ending}", options=GROUPS["keyframe every 12, B-frames"])
    make_clip(folder / "a.avi", codec="mpeg4")
    members = {f"in/{file.name}": file.read_bytes() for file in sorted(folder.iterdir())}
    write_tar(folder / "s.tar", {"x.txt": b"1" * 999, **members})
    return folder


def assert_same(path: Path, file: Path) -> None:
    with open_video(path) as one, open_video(file) as two:
        assert one.pts_seconds.equal(two.pts_seconds)
        assert (one.fps, one.size, one.start_seconds) == (two.fps, two.size, two.start_seconds)
        assert one.frames_at(INDICES).pixels.equal(two.frames_at(INDICES).pixels)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
def test_a_member_gives_the_frames_of_the_file(clips: Path, ending: str):
    assert_same(clips / "s.tar" / "in" / f"a.{ending}", clips / f"a.{ending}")


def test_decoders_that_want_a_file_get_a_member_in_memory(clips: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("decord", reason="made for Linux on x86-64 only")
    with open_video(clips / "s.tar" / "in" / "a.mp4", backend="decord") as one:
        with open_video(clips / "a.mp4", backend="decord") as two:
            assert one.frames_at(INDICES).pixels.equal(two.frames_at(INDICES).pixels)
    monkeypatch.setattr(source, "MOST_WHOLE_BYTES", 1000)
    with pytest.raises(DecodeError, match=r"a.mp4: \d+ bytes do not go into memory; `backend`=pyav reads it in place"):
        stored_content(clips / "s.tar" / "in" / "a.mp4")
    with pytest.raises(DecodeError, match=r"in/b.mp4: the archive has no member 'in/b.mp4'"):
        stored_content(clips / "s.tar" / "in" / "b.mp4")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_url_gives_the_frames_of_the_file(clips: Path, ranges: bool):
    pytest.importorskip("aiohttp", reason="the extra `cloud` is not installed")
    with served(clips, ranges=ranges) as (address, asked):
        assert_same(Path(f"{address}/a.mp4"), clips / "a.mp4")
        parts = [line for line in asked if "bytes=" in line]
        whole = [line for line in asked if line == "GET /a.mp4"]
        assert (len(whole) == 0) == ranges
        assert parts
        # An archive behind a URL, and what is not there.
        if ranges:
            assert_same(Path(f"{address}/s.tar/in/a.ts"), clips / "a.ts")
        with pytest.raises(DecodeError, match=rf"^http:/127.*/none.mp4: .*{address}/none.mp4"):
            open_video(Path(f"{address}/none.mp4"))


def test_a_long_file_is_asked_for_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("aiohttp", reason="the extra `cloud` is not installed")
    monkeypatch.setattr(source, "RANGE_BYTES", 4096)
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 400)
    with served(tmp_path) as (address, asked), open_stored(Path(f"{address}/a.bin")) as file:
        file.seek(50_000)
        assert file.read(10) == (bytes(range(256)) * 400)[50_000:50_010]
        pairs = [line.partition("bytes=")[2].split("-") for line in asked if "bytes=" in line]
        assert 0 < max(1 + int(last) - int(first) for first, last in pairs) < 10_000


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_claims_ten_gigabytes_is_not_believed(clips: Path, ranges: bool):
    pytest.importorskip("aiohttp", reason="the extra `cloud` is not installed")
    with served(clips, ranges=ranges, claimed=10 * 2**30) as (address, _):
        with pytest.raises(DecodeError, match=r"a.mp4: "):
            open_video(Path(f"{address}/a.mp4"), timeout_seconds=2.0)


def test_what_was_kept_goes_with_its_last_reader_in_silence(recwarn: pytest.WarningsRecorder):
    """In a circle of references too, in which what is collected first may be the file."""
    for _ in range(20):
        kept = source.Kept(max_size=10)
        kept.write(b"abc")
        circle: list = [kept, source.Window(kept, 0, 3, name="a.mp4")]
        circle.append(circle)
        closed = kept._file
        del kept, circle
        gc.collect()
        assert closed.closed
    assert not [each for each in recwarn if issubclass(each.category, ResourceWarning | pytest.PytestWarning)]


def test_what_was_kept_of_a_file_is_closed_where_its_server_breaks_off(monkeypatch: pytest.MonkeyPatch):
    made = []
    monkeypatch.setattr(source, "Kept", lambda **_: made.append(io.BytesIO()) or made[-1])

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(3)
            if not data:
                raise OSError("gone")
            return data

    class Store:
        def open(self, *_, **__):
            return Breaking(b"abcdef")

    with pytest.raises(OSError, match="gone"):
        source._whole(Store(), "http://x/a.mp4", None, "a.mp4")
    assert [file.closed for file in made] == [True]


def test_other_stores_go_through_fsspec(clips: Path):
    memory = fsspec.filesystem("memory")
    for name in ("a.mkv", "s.tar"):
        memory.pipe(f"/videos/{name}", (clips / name).read_bytes())
    assert_same(Path("memory://videos/a.mkv"), clips / "a.mkv")
    assert_same(located(clips, "memory://videos/s.tar/in/a.mp4"), clips / "a.mp4")
    assert stored_bytes(Path("memory://videos/a.mkv")) == stored_bytes(clips / "a.mkv")
    with pytest.raises(DecodeError, match=r"^memory:/videos/none.mp4: "):
        open_video(Path("memory://videos/none.mp4"))


def test_a_picture_in_an_archive_is_that_of_the_file(tmp_path: Path):
    Image.fromarray(numbered_picture(5)).save(tmp_path / "a.png")
    archive = write_tar(tmp_path / "p.tar", {"in/a.png": (tmp_path / "a.png").read_bytes(), "b.png": b"no picture"})
    with open_video(archive / "in" / "a.png") as one, open_video(tmp_path / "a.png") as two:
        assert one.frames_at([0]).pixels.equal(two.frames_at([0]).pixels)
    with pytest.raises(DecodeError, match=r"p.tar/b.png: cannot identify image"):
        open_video(archive / "b.png")


def test_a_part_is_cut_out_of_a_member(clips: Path, tmp_path: Path):
    cut = Cut(target=tmp_path / "b.mp4", start_seconds=0.5, end_seconds=0.7)
    cut_video(clips / "s.tar" / "in" / "a.mp4", [cut], short_side=64, preset="ultrafast")
    with open_video(tmp_path / "b.mp4") as video:
        assert len(video) == 6


def test_an_archive_is_looked_through_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    passes: list[str] = []
    inner = source.index_tar

    def watched(file, *, length, source):
        passes.append(source)
        return inner(file, length=length, source=source)

    monkeypatch.setattr(source, "index_tar", watched)
    archive = write_tar(tmp_path / "once.tar", {"a.mp4": b"12", "b.mp4": b"3"})
    for _ in range(3):
        with open_stored(archive / "b.mp4") as file:
            assert file.read() == b"3"
    assert passes == [str(archive)]
    write_tar(archive, {"b.mp4": b"4" * 9000})
    with open_stored(archive / "b.mp4") as file:
        assert (file.seek(-2, io.SEEK_END), file.read(9), file.read(1)) == (8998, b"44", b"")
    assert len(passes) == 2
    with pytest.raises(FileNotFoundError, match=r"the archive has no member 'a.mp4'"):
        open_stored(archive / "a.mp4")
    assert list(tar_index(archive)) == ["b.mp4"]


def test_archives_that_cannot_be_trusted_name_the_video(tmp_path: Path):
    archive = write_tar(tmp_path / "bad.tar", {"../a.mp4": b""})
    with pytest.raises(DataError, match=r"bad.tar: the member '../a.mp4' would lie outside"):
        open_video(archive / "b.mp4")


def test_what_is_a_url(tmp_path: Path):
    assert is_url("https://host/a.mp4")
    assert is_url(Path("s3://bucket/a.mp4"))
    assert url_of(Path("s3://bucket/a.mp4")) == "s3://bucket/a.mp4"
    assert not is_url("a/b.mp4")
    assert not is_url("C:/a.mp4")
    assert not is_url(tmp_path / "a.mp4")
    assert located(tmp_path, "a.mp4") == tmp_path / "a.mp4"
    assert not is_stored(tmp_path / "x.tar" / "a.mp4")
    check_url("memory://a/b.mp4", source="list")


@pytest.mark.parametrize("name", ["memory://a//b.mp4", "memory://a/./b.mp4", "memory://a/b/"])
def test_urls_that_a_path_would_change_are_refused(name: str):
    with pytest.raises(DataError, match=r"^list: .*: a URL with empty parts"):
        check_url(name, source="list")


def test_schemes_that_cannot_be_read_say_why(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="file://: write the path of a file on this machine without a scheme"):
        check_url("file://etc/passwd", source="list")
    with pytest.raises(ConfigError, match="nonsense://: fsspec knows no such scheme"):
        check_url("nonsense://a/b", source="list")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"https:// needs the package fsspec: pip install vidtok\[cloud\]"):
        check_url("https://a/b", source="list")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    def missing(scheme):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(ConfigError, match="s3://: a package is missing: Install s3fs to access S3: fsspec reads it"):
        check_url("s3://a/b", source="list")
    with pytest.raises(ConfigError, match=r"http://: .* pip install vidtok\[cloud\]"):
        check_url("http://a/b", source="list")
