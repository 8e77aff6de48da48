"""Lists line by line: text, numbers of lines, comments."""

import re
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from vidtok.text.file import open_text


def numbered_lines(path: Path) -> Generator[tuple[int, str], None, None]:
    """Number and text of every line that is not blank."""
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line := line.strip():
                yield number, line


FIRST = 100


def first_lines(path: Path) -> list[str]:
    """The first lines without those that begin with `#`, which are comments in most forms."""
    with closing(numbered_lines(path)) as lines:
        return list(islice((line for _, line in lines if not line.startswith("#")), FIRST))


def is_comment(line: str, root: Path) -> bool:
    """Whether a line is a comment: it begins with `#`, and no file is called as it begins."""
    if not line.startswith("#"):
        return False
    ends = [match.start() for match in re.finditer(r"[\s,;]|::|$", line)]
    return not any((root / line[:end]).exists() for end in ends)


def comment_notes(count: int) -> list[str]:
    """What is said of a list with so many comments."""
    return [f"{count} lines that begin with # are comments"] if count else []


def unquoted(text: str) -> str:
    """A text without double quotes around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
