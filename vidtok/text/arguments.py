"""Messages that name an argument as `name`, in the words of whoever gave it: a configuration's key, an option."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vidtok.errors import VidtokError

MARKED = re.compile(r"`(\w+)((?:\.\w+)*)`")
"""An argument, and what is meant within it: `batch`, `token_learner.after_block`."""


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with other names for the arguments that stand there as `name`, without the marks.

    What has no other name keeps its marks: the next one who knows the caller's words may have one.
    """
    return MARKED.sub(lambda found: names[found[1]] + found[2] if found[1] in names else found[0], text)


@contextmanager
def told_with(names: Mapping[str, str]) -> Iterator[None]:
    """Errors from within with other names for arguments; the error itself stays the same one."""
    try:
        yield
    except VidtokError as error:
        error.args = (renamed(str(error), names),)
        raise
