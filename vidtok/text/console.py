"""Text for consoles and files that cannot hold every character: names that are not UTF-8, narrow encodings."""

import io
import sys


def printable(text: str, *, encoding: str = "utf-8") -> str:
    """The text with what this encoding cannot hold written as `\\udce9`; file names can be no UTF-8."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def say(text: str) -> None:
    """Print a line, whatever is in it and whatever the console can show."""
    print(printable(text, encoding=getattr(sys.stdout, "encoding", None) or "utf-8"), flush=True)


def widen_streams() -> None:
    """Let this process's output write what its encoding cannot hold as `printable` does, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
