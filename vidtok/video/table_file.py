"""Frame tables of long videos, kept in a folder, so that a long video opens as fast as a short one.

Reading every packet of an hour takes half a second, and each sample of a long video opens it anew. What was read is
kept in a file of the user's cache folder, named by the video's path, and taken from there as long as the video is the
same: its size, its times of modification and of change, its stream, and the FFmpeg that read it stand in the file's
header, and a checksum over everything. Any other content is as good as none: the packets are read, and the file is
written anew, aside and renamed, so that readers in other processes find a whole one at all times.

    $VIDTOK_CACHE, else $XDG_CACHE_HOME/vidtok, else ~/.cache/vidtok      tables/<sha256 of the path>.table

`VIDTOK_CACHE=off` keeps nothing. The folder may be removed at any time; where it cannot be written, or the disk is
full, there is no cache, and nothing else changes.
"""

import hashlib
import os
import struct
import tempfile
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from vidtok.video.table import FrameTable, KnownPackets

LEAST_PACKETS = 4096
"""Shorter videos (2 to 3 minutes) are read in 30 ms, not much more than a file beside them would take, and are many."""
SETTLED_SECONDS = 2.0
"""Clocks of file systems tick coarsely: a file that changed just now may change once more without another time."""
ABANDONED_SECONDS = 3600.0
"""Files aside that are older were left by processes that were killed."""
MAGIC = b"vidtok table 1\0\0"
HEADER = struct.Struct("<16s 32s 16s q qqqq qq")
"""Magic, path's hash, FFmpeg's demuxers, stream, (size, modified, changed, inode), packets, frames."""
CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True)
class FileState:
    """What differs when a file has been changed, or replaced by another."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @property
    def is_settled(self) -> bool:
        """Whether its times are old enough to tell a later change apart."""
        return time.time() - max(self.modified_ns, self.changed_ns) / 1e9 > SETTLED_SECONDS


@dataclass(frozen=True, kw_only=True)
class KeptTable:
    """The frames of a video, and the packets that they come from."""

    table: FrameTable
    packets: KnownPackets


def file_state(path: Path) -> FileState | None:
    """The state of a regular file; None for others, which are not kept."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not path.is_file():
        return None
    # The inode as 63 bits, some file systems have more.
    inode = found.st_ino & (2**63 - 1)
    return FileState(size=found.st_size, modified_ns=found.st_mtime_ns, changed_ns=found.st_ctime_ns, inode=inode)


def table_folder() -> Path | None:
    """Where tables are kept; None where nothing is to be kept."""
    told = os.environ.get("VIDTOK_CACHE")
    if told == "off":
        return None
    if told:
        return Path(told) / "tables"
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return None
    return Path(home) / "vidtok" / "tables"


def table_path(video: Path) -> Path | None:
    """The file of this video's table, which need not be there."""
    folder = table_folder()
    return None if folder is None else folder / f"{_path_hash(video).hex()}.table"


def read_table(video: Path, state: FileState, *, stream: int) -> KeptTable | None:
    """The table that was kept of exactly this file, or None."""
    path = table_path(video)
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    expected = _header(video, state, stream=stream, packets=0, frames=0)
    known = len(expected) - 16
    if len(content) < HEADER.size + CHECKSUM.size or content[:known] != expected[:known]:
        return None
    packets, frames = struct.unpack_from("<qq", content, known)
    if len(content) != HEADER.size + 13 * packets + 12 * frames + CHECKSUM.size:
        return None
    body = memoryview(content)[: -CHECKSUM.size]
    if CHECKSUM.unpack_from(content, len(body)) != (zlib.crc32(body),):
        return None
    at = HEADER.size

    def column(kind: str, count: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(content, kind, count, at)
        at += values.nbytes
        return values

    ticks, pts = column("<i8", frames), column("<i8", packets)
    entry, size, flags = column("<u4", frames), column("<u4", packets), column("u1", packets)
    return KeptTable(
        table=FrameTable(ticks=ticks.astype(np.int64), entry=entry.astype(np.int64), by_order=False),
        packets=KnownPackets(pts=pts.astype(np.int64), size=size, flags=flags),
    )


def keep_table(video: Path, state: FileState, kept: KeptTable, *, stream: int) -> None:
    """Keep a long video's table, where that is possible: nothing is said, and nothing raised, where it is not.

    Short videos, files that changed just now, and files that are no longer as they were when reading began, are left.
    """
    path = table_path(video)
    long = len(kept.packets) >= LEAST_PACKETS
    if path is None or not long or not state.is_settled or file_state(video) != state:
        return
    packets, table = kept.packets, kept.table
    header = _header(video, state, stream=stream, packets=len(packets), frames=len(table))
    columns = ((table.ticks, "<i8"), (packets.pts, "<i8"))
    columns += ((table.entry, "<u4"), (packets.size, "<u4"), (packets.flags, "u1"))
    content = header + b"".join(values.astype(kind).tobytes() for values, kind in columns)
    aside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        handle, aside = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=".aside", dir=path.parent)
        with open(handle, "wb") as file:
            file.write(content + CHECKSUM.pack(zlib.crc32(content)))
        os.replace(aside, path)
    except OSError:
        if aside is not None:
            with suppress(OSError):
                os.unlink(aside)


def _header(video: Path, state: FileState, *, stream: int, packets: int, frames: int) -> bytes:
    version = ".".join(map(str, av.library_versions["libavformat"])).encode()
    facts = (state.size, state.modified_ns, state.changed_ns, state.inode)
    return HEADER.pack(MAGIC, _path_hash(video), version, stream, *facts, packets, frames)


def _path_hash(video: Path) -> bytes:
    return hashlib.sha256(os.fsencode(os.path.realpath(video))).digest()


def _remove_abandoned(folder: Path) -> None:
    for file in folder.glob("*.aside"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > ABANDONED_SECONDS:
                file.unlink()
