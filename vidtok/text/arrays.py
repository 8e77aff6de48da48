"""Arrays from .npz files that anybody may have written: no code in them is run, and no size is believed."""

import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from vidtok.errors import DataError

UNPACKED_BYTES = 2**30
"""What a file may unpack to, beside SHRUNK times its own size: rows of zeros become very small, scores do not."""
SHRUNK = 8


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by their names.

    Raises DataError for a file that is missing, damaged, or holds Python's objects (a pickle can run code), and, before
    there is memory for it, for one that would unpack to far more than its size, or claims larger arrays than it holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members, size = archive.infolist(), path.stat().st_size
            whole = sum(member.file_size for member in members)
            if whole > UNPACKED_BYTES + SHRUNK * size:
                raise DataError(f"{path}: would unpack from {size} bytes to {whole}: not read")
            return {member.filename.removesuffix(".npy"): _array(archive, member, path=path) for member in members}
    except (OSError, ValueError, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path}: no whole .npz file: {getattr(error, 'strerror', None) or error}") from error
    except (zipfile.BadZipFile, zlib.error, struct.error, MemoryError) as error:
        raise DataError(f"{path}: no whole .npz file: {error}") from error


def check_stored(path: Path) -> None:
    """Raise DataError for a file of torch, a zip without compression, whose parts claim more bytes than it has."""
    try:
        with zipfile.ZipFile(path) as archive:
            whole, size = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"{path}: damaged: {error}") from error
    if whole > size:
        raise DataError(f"{path}: has {size} bytes and would unpack to {whole}, which no file of torch does: not read")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, path: Path) -> np.ndarray:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = head(file)
    if dtype.hasobject:
        raise DataError(f"{path}: {member.filename!r} holds Python's objects, which can run code: not read")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > member.file_size:
        raise DataError(f"{path}: {member.filename!r} claims {claimed} bytes and has {member.file_size}: not read")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
