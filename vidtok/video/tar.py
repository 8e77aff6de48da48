"""Tar archives as shards of videos: an index by one pass over the headers; a member is read where it lies.

Nothing is unpacked, and nothing that a header says is believed before it is held against the length of the archive.
Form: POSIX.1-2001, "pax Interchange Format"; GNU's long names and sizes in base 256.
"""

import re
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from vidtok.errors import DataError

BLOCK = 512
MOST_NAME_BYTES = 64 * 2**10  # of a header that only holds names for the next one
FILE, LONG_NAME, PAX, PAX_GLOBAL = (b"0", b"\0", b"7"), b"L", b"x", b"g"
LINKS, SKIPPED = (b"1", b"2"), (b"5", b"K", b"V")
COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zX": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
"""How packed files begin."""
PACKED_SUFFIXES = (".zip", ".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz", ".zst")

Index = dict[str, tuple[int, int]]
"""From the name of a member to its first byte and its length."""


@runtime_checkable
class Searchable(Protocol):
    """An open file of bytes in which one can go to and fro."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...


def index_tar(file: Searchable, *, length: int, source: str) -> Index:
    """The members of an archive of so many bytes.

    Raises DataError, which names archive and member, for what is no tar, a compressed one, a member that claims more
    bytes than there are, names that lead out of the archive's folder or stand there twice, links and devices.
    """
    index: Index = {}
    for name, start, size in _members(file, length, source):
        check_member(name, source)
        if name in index:
            raise DataError(f"{source}: has two members called {name!r}")
        index[name] = (start, size)
    return index


def check_member(name: str, source: str) -> None:
    """DataError for a name that, unpacked, would lie elsewhere."""
    if not name or name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
        raise DataError(f"{source}: the member {name!r:.200} would lie outside of the archive's folder: not read")


def _members(file: Searchable, length: int, source: str) -> Iterator[tuple[str, int, int]]:
    at, long_name, pax = 0, "", {}
    while at + BLOCK <= length:
        file.seek(at)
        header = file.read(BLOCK)
        if not header.strip(b"\0"):
            return
        _check_header(header, at, source)
        name, kind = long_name or pax.get("path") or _name(header), header[156:157]
        size, start = _number(header[124:136], source), at + BLOCK
        if kind in FILE and "size" in pax:
            size = int(pax["size"]) if pax["size"].isdecimal() else -1
        if not 0 <= size <= length - start:
            raise DataError(
                f"{source}: the member {name!r:.200} claims {size} bytes, and {max(0, length - start)} are left in the "
                "archive"
            )
        at = start + -(-size // BLOCK) * BLOCK
        if kind in (LONG_NAME, PAX, PAX_GLOBAL):
            if size > MOST_NAME_BYTES:
                raise DataError(f"{source}: a header claims a name of {size} bytes; at most {MOST_NAME_BYTES} are read")
            data = file.read(size)
            if kind == LONG_NAME:
                long_name = data.rstrip(b"\0").decode(errors="surrogateescape")
            elif kind == PAX:
                pax = _pax(data)
            continue
        long_name, pax = "", {}
        if kind in FILE and not name.endswith("/"):
            yield name.removeprefix("./"), start, size
        elif kind not in (*SKIPPED, *FILE):
            what = "a link" if kind in LINKS else f"of the kind {kind!r}, and no file"
            raise DataError(f"{source}: the member {name!r:.200} is {what}: not read")


def _check_header(header: bytes, at: int, source: str) -> None:
    told = header[148:156].strip(b" \0")
    own = sum(header[:148]) + 8 * 32 + sum(header[156:])
    if re.fullmatch(rb"[0-7]+", told) and int(told, 8) == own:
        return
    packed = next((kind for begin, kind in COMPRESSED.items() if not at and header.startswith(begin)), None)
    if packed:
        raise DataError(f"{source}: is packed with {packed}; members are read in place: unpack it to a plain .tar")
    raise DataError(f"{source}: no tar archive, or a damaged one (no header at byte {at})")


def _name(header: bytes) -> str:
    name, prefix = (part.split(b"\0")[0].decode(errors="surrogateescape") for part in (header[:100], header[345:500]))
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _number(field: bytes, source: str) -> int:
    """Octal digits, or GNU's base 256."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise DataError(f"{source}: no tar archive, or a damaged one (a size is written {digits!r})")
    return int(digits or b"0", 8)


def _pax(data: bytes) -> dict[str, str]:
    """`LENGTH key=value` lines, whose length counts itself."""
    found, at = {}, 0
    while match := re.compile(rb"(\d{1,9}) ([^=]+)=").match(data, at):
        end = at + int(match[1])
        if not match.end() < end <= len(data):
            break
        found[match[2].decode(errors="replace")] = data[match.end() : end - 1].decode(errors="surrogateescape")
        at = end
    return found
