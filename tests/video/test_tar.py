"""Tar archives: members where they lie; nothing believed that the archive cannot hold."""

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from vidtok.errors import DataError
from vidtok.video.tar import MOST_NAME_BYTES, Index, index_tar

CONTENT = {"a.mp4": b"x" * 700, "a.cls": b"3", "deep/b.mp4": b"", "c.mp4": bytes(range(256)) * 2}


def made(members: dict[str, bytes], format: int = tarfile.USTAR_FORMAT, **more) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for key, value in more.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def index(data: bytes) -> Index:
    return index_tar(io.BytesIO(data), length=len(data), source="s.tar")


def changed(data: bytes, at: int, field: bytes) -> bytes:
    """A header with another field, and the sum that is right for it."""
    header = bytearray(data[:512])
    header[at : at + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + data[512:]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_lie_where_the_index_says(format: int):
    long = {f"{'d' * 90}/{'n' * 60}.mp4": b"split"}
    if format != tarfile.USTAR_FORMAT:
        long |= {f"{'é' * 60}.mp4": b"long", f"{'n' * 130}.mp4": b"longer"}
    data = made(CONTENT | long, format)
    found = {name: data[start : start + size] for name, (start, size) in index(data).items()}
    assert found == CONTENT | long


def test_folders_are_no_members():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("d")
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
        entry = tarfile.TarInfo("./d/a.mp4")
        tar.addfile(entry)
    assert list(index(out.getvalue())) == ["d/a.mp4"]


@pytest.mark.parametrize("name", ["../a.mp4", "d/../../a.mp4", "/etc/a.mp4", "d\\..\\a.mp4"])
def test_names_that_lead_elsewhere_are_refused(name: str):
    with pytest.raises(DataError, match=r"^s.tar: the member '.*' would lie outside of the archive's folder: not read"):
        index(made({"ok.mp4": b""} | {name: b"x"}))


@pytest.mark.parametrize("size", [b"00000003720\0", b"\x80" + (10 * 2**30).to_bytes(11, "big"), b"\xff" * 12])
def test_a_size_that_the_archive_cannot_hold_is_refused(size: bytes):
    """2000 bytes of 1024, ten gigabytes, and a negative size."""
    data = changed(made({"a.mp4": b"x" * 100}), 124, size)[:1536]
    tracemalloc.start()
    with pytest.raises(
        DataError, match=r"s.tar: the member 'a.mp4' claims \d+ bytes, and 1024 are left in the archive"
    ):
        index(data)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_a_name_of_megabytes_is_refused(kind: bytes):
    data = changed(made({"a.mp4": b"x" * (MOST_NAME_BYTES + 1)}), 156, kind)
    with pytest.raises(DataError, match=f"a header claims a name of {MOST_NAME_BYTES + 1} bytes; at most"):
        index(data)


def test_a_pax_size_is_held_against_the_archive_too():
    data = made({"a.mp4": b"x"}, tarfile.PAX_FORMAT, pax_headers={"comment": "y" * 8})
    assert index(data.replace(b"20 comment=yyyyyyyy", b"20 size=00000000001"))["a.mp4"][1] == 1
    with pytest.raises(DataError, match=r"'a.mp4' claims 99999999999 bytes"):
        index(data.replace(b"20 comment=yyyyyyyy", b"20 size=99999999999"))
    with pytest.raises(DataError, match=r"'a.mp4' claims -1 bytes"):
        index(data.replace(b"20 comment=yyyyyyyy", b"20 size=-9999999999"))


@pytest.mark.parametrize(
    ("kind", "words"), [(b"1", "a link"), (b"2", "a link"), (b"3", "of the kind b'3', and no file")]
)
def test_links_and_devices_are_refused(kind: bytes, words: str):
    data = changed(made({"a.mp4": b""}, linkname="/etc/passwd"), 156, kind)
    with pytest.raises(DataError, match=rf"s.tar: the member 'a.mp4' is {words}: not read"):
        index(data)


def test_what_is_packed_or_damaged_is_refused():
    data = made(CONTENT)
    with pytest.raises(DataError, match=r"s.tar: is packed with gzip; members are read in place: unpack it"):
        index(gzip.compress(data, mtime=0) + bytes(1024))
    with pytest.raises(DataError, match=r"s.tar: is packed with zip"):
        index(b"PK\3\4" + bytes(1020))
    with pytest.raises(DataError, match=r"no tar archive, or a damaged one \(no header at byte 1536\)"):
        index(data[:1536] + b"z" + data[1537:])
    with pytest.raises(DataError, match=r"a size is written b'77x'"):
        index(changed(data, 124, b"77x".ljust(12)))
    with pytest.raises(DataError, match=r"s.tar: has two members called 'a.mp4'"):
        index(made({"a.mp4": b""})[:512] + made({"a.mp4": b""}))


def test_a_cut_end_is_no_surprise(tmp_path: Path):
    data = made({"a.mp4": b"x" * 600})
    assert index(data[:1536]) == {"a.mp4": (512, 600)}
    with pytest.raises(DataError, match=r"'a.mp4' claims 600 bytes, and 588 are left"):
        index(data[:1100])
