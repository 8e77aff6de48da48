"""Where the bytes of a video are: in a file, in a member of a tar archive, or behind a URL.

    clips/a.mp4                          a file
    shards/train-000003.tar/0001.mp4     a member of an archive, as if the archive were a folder
    https://host/clips/a.mp4             through fsspec, by ranges where the server has them
    s3://bucket/train-000003.tar/0001.mp4

A Path writes `https://host` with one slash; here both mean the same.
"""

import functools
import importlib
import io
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vidtok.errors import ConfigError, DataError, DecodeError
from vidtok.video.tar import Index, index_tar

URL = re.compile(r"([a-z][a-z0-9]+):/{1,2}(?=[^/])(.+)", re.DOTALL)
LOCAL = ("file", "local")
TAR = re.compile(r"(.+?\.tar)/(.+)", re.DOTALL)
RANGE_BYTES = 2 * 2**20  # of a request
MOST_WHOLE_BYTES = 2 * 2**30  # of a file from a server that gives no ranges
IN_MEMORY_BYTES = 64 * 2**20  # of such a file; what is longer goes to the disk
KNOWN_ARCHIVES = 1024
WAIT_SECONDS = 30.0


def is_url(path: str | Path) -> bool:
    return URL.fullmatch(str(path)) is not None


def url_of(path: str | Path) -> str:
    """The URL that a path stands for, with its two slashes."""
    match = URL.fullmatch(str(path))
    if match is None:
        raise ValueError(f"{path} is no URL")
    return f"{match[1]}://{match[2]}"


def located(root: Path, name: str) -> Path:
    """Where a name of a list lies: below the root, unless it is absolute or a URL."""
    return Path(name) if "://" in name and is_url(name) else root / name


def check_url(name: str, *, source: str) -> None:
    """DataError for a URL that would be read as another one; ConfigError where its scheme cannot be read here."""
    if str(Path(name)) != url_of(name).replace("://", ":/", 1):
        raise DataError(f"{source}: {name!r:.200}: a URL with empty parts (//, /./ or a slash at its end) is not read")
    check_scheme(url_of(name).partition(":")[0])


def check_scheme(scheme: str) -> None:
    """Raises ConfigError, which names the package that is missing, where files of this scheme cannot be read."""
    if scheme in LOCAL:
        raise ConfigError(f"{scheme}://: write the path of a file on this machine without a scheme")
    try:
        import fsspec
    except ImportError as error:
        raise ConfigError(f"{scheme}:// needs the package fsspec: pip install vidtok[cloud]") from error
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = "pip install vidtok[cloud]" if scheme in ("http", "https") else "fsspec reads it with that package"
        raise ConfigError(f"{scheme}://: a package is missing: {error}: {extra}") from error
    except ValueError as error:
        raise ConfigError(f"{scheme}://: fsspec knows no such scheme ({error})") from error


def is_stored(path: Path) -> bool:
    """Whether a path is no file of its own: a URL, or a member of an archive."""
    return is_url(path) or _member(path) is not None


def is_there(path: Path) -> bool:
    """Whether an archive has this member; of a URL, which nobody asks before it is read, always so."""
    if is_url(path):
        return True
    member = _member(path)
    return member is not None and member[1] in tar_index(member[0])


def _member(path: Path) -> tuple[Path, str] | None:
    """Archive and member."""
    match = TAR.fullmatch(str(path)) if ".tar/" in str(path) else None
    return (Path(match[1]), match[2]) if match and (is_url(path) or Path(match[1]).is_file()) else None


def tar_index(archive: Path, *, timeout_seconds: float = WAIT_SECONDS) -> Index:
    """The members of an archive; the headers are read once, and again where the file has changed."""
    if is_url(archive):
        return _remote_index(url_of(archive), timeout_seconds)
    status = os.stat(archive)
    return _local_index(str(archive), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=KNOWN_ARCHIVES)
def _local_index(archive: str, size: int, _mtime_ns: int) -> Index:
    with open(archive, "rb") as file:
        return index_tar(file, length=size, source=archive)


@functools.lru_cache(maxsize=KNOWN_ARCHIVES)
def _remote_index(url: str, timeout_seconds: float) -> Index:
    with _remote(url, timeout_seconds) as file:
        return index_tar(file, length=file.seek(0, io.SEEK_END), source=url)


def open_stored(path: Path, *, timeout_seconds: float = WAIT_SECONDS) -> "Window":
    """The bytes of a path for which `is_stored` holds, as an open file that can be searched.

    Raises OSError for what is not there or cannot be read, as opening a file does, and says why; DataError for an
    archive that cannot be trusted; ConfigError where a package is missing.
    """
    member = _member(path)
    if member is None:
        return _remote(url_of(path), timeout_seconds)
    archive, name = member
    entry = tar_index(archive, timeout_seconds=timeout_seconds).get(name)
    if entry is None:
        raise FileNotFoundError(2, f"the archive has no member {name!r}", str(path))
    outer = _remote(url_of(archive), timeout_seconds) if is_url(archive) else open(archive, "rb")  # noqa: SIM115
    return Window(outer, *entry, name=Path(name).name)


def stored_bytes(path: Path, *, timeout_seconds: float = WAIT_SECONDS) -> int:
    """The length of a file, of a member, or of what a URL names."""
    if not is_stored(path):
        return path.stat().st_size
    with open_stored(path, timeout_seconds=timeout_seconds) as file:
        return file.seek(0, io.SEEK_END)


def stored_content(path: Path, *, timeout_seconds: float = WAIT_SECONDS) -> bytes:
    """All of a path for which `is_stored` holds, for readers that want it in memory. DecodeError where it cannot be."""
    try:
        with open_stored(path, timeout_seconds=timeout_seconds) as file:
            length = file.seek(0, io.SEEK_END)
            if length > MOST_WHOLE_BYTES:
                raise DecodeError(f"{path}: {length} bytes do not go into memory; `backend`=pyav reads it in place")
            file.seek(0)
            return file.read()
    except OSError as error:
        raise DecodeError(f"{path}: {error.strerror or error}") from error


class Window(io.RawIOBase):
    """A part of an open file as a file of its own. Whatever goes wrong below it is an OSError."""

    def __init__(self, file: Any, start: int, length: int, *, name: str):
        self._file, self._start, self._length, self._at = file, start, length, 0
        self.name = name  # FFmpeg looks at its ending

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return super().read(size) or b""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._length - self._at))
        if not count:
            return 0

        def read() -> bytes:
            self._file.seek(self._start + self._at)
            return self._file.read(count)

        data = _as_os_error(read, self.name)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _as_os_error(work: Callable[[], Any], name: str) -> Any:
    """What stores and their packages raise has no common type."""
    try:
        return work()
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise OSError(5, f"{type(error).__name__}: {error}", name) from error


def _remote(url: str, timeout_seconds: float) -> "Window":
    """A URL's file, read by ranges; from a server that has none, the whole of it, once."""
    scheme = url.partition(":")[0]
    check_scheme(scheme)
    is_web = scheme in ("http", "https")

    def begin() -> "Window":
        import fsspec

        options: dict[str, Any] = {}
        if is_web:
            timeout = importlib.import_module("aiohttp").ClientTimeout(total=timeout_seconds)
            options["client_kwargs"] = {"timeout": timeout}
        system = fsspec.filesystem(scheme, **options)
        size = system.info(url).get("size")
        name = url.partition("?")[0].rpartition("/")[2]
        if size is not None:
            file = system.open(url, "rb", block_size=RANGE_BYTES)
            if not is_web or (file.seekable() and _gives_ranges(file, size)):
                return Window(file, 0, size, name=name)
            file.close()
        return _whole(system, url, size, name)

    return _as_os_error(begin, url)


def _gives_ranges(file: Any, size: int) -> bool:
    if size < 2:
        return False
    try:
        file.seek(size - 1)
        return len(file.read(1)) == 1
    except ValueError:  # so fsspec says that the server sent all
        return False


class Kept(tempfile.SpooledTemporaryFile[bytes]):
    """What is read of a URL, for as long as somebody reads it: FFmpeg's container never closes the file it was given.

    It goes with its last reader, which is no mistake that Python should warn of.
    """

    def __del__(self) -> None:
        self.close()


def _whole(system: Any, url: str, size: int | None, name: str) -> "Window":
    if size is not None and size > MOST_WHOLE_BYTES:
        raise OSError(
            27, f"the server gives no ranges, and claims {size} bytes: at most {MOST_WHOLE_BYTES} are read", url
        )
    kept = Kept(max_size=IN_MEMORY_BYTES)
    length = 0
    try:
        with system.open(url, "rb", block_size=0) as file:
            while data := file.read(2**20):
                length += len(data)
                if length > MOST_WHOLE_BYTES:
                    raise OSError(27, f"the server gives no ranges, and more than {MOST_WHOLE_BYTES} bytes", url)
                kept.write(data)
    except BaseException:
        kept.close()
        raise
    return Window(kept, 0, length, name=name)
