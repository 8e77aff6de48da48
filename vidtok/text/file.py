"""Text files that people write: lists, class files, JSON. What is not text is told from it, in words."""

import codecs
import json
from pathlib import Path
from typing import IO

from vidtok.errors import DataError

HEAD_BYTES = 8192


def is_binary(path: Path) -> bool:
    """Whether a file is no text: it holds a zero byte near its beginning, and no mark of UTF-16 before it."""
    head = _head(path)
    return b"\0" in head and not _is_utf16(head)


def open_text(path: Path, *, what: str = "list", newline: str | None = None) -> IO[str]:
    """A text file in UTF-8 for reading, without its byte-order mark.

    Bytes that are not UTF-8 come as Python hands on the bytes of file names (surrogates), so that a list can name such
    a file. Raises DataError for what is no text, and for UTF-16.
    """
    head = _head(path)
    if _is_utf16(head):
        raise DataError(f"{path}: a text in UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise DataError(f"{path}: no text, and so no {what} (it holds zero bytes)")
    return open(path, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def read_text(path: Path, *, what: str = "list") -> str:
    """The whole of a text file in UTF-8, lines ended by a line feed alone; DataError where it is anything else."""
    with open_text(path, what=what) as file:
        text = file.read()
    check_utf8(text, source=str(path))
    return text


def read_json(path: Path) -> object:
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error


def check_utf8(text: str, *, source: str) -> None:
    """DataError where a text holds bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line, odd = text.count("\n", 0, error.start) + 1, ascii(text[error.start : error.end][:8])
        raise DataError(f"{source}: not a text in UTF-8 (line {line} has {odd}); save it as UTF-8") from error


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def _is_utf16(head: bytes) -> bool:
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
