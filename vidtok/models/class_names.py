"""Names of classes as a caller gives them: a number, names, a file of them, or a table between names and numbers."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from vidtok.errors import DataError, ModelError
from vidtok.text.classes import check_names, read_classes


def numbered(classes: int) -> tuple[str, ...]:
    """Names for classes that have none: their numbers."""
    return tuple(map(str, range(classes)))


def class_names(classes: object) -> tuple[str, ...]:
    """The names of the logits, in their order.

    `classes`: how many; their names; a file of them, which `read_classes` reads; or a mapping as transformers has them,
    `id2label` from each number, counted from 0, to its name, or `label2id` the other way. Raises ModelError for no
    class, for names that are no text, are empty or stand twice, and for a file that there is not; DataError for what
    is in it.
    """
    if isinstance(classes, str | Path):
        if not Path(classes).is_file():
            raise ModelError(
                f"classes={str(classes)!r}: one text is the path of a class file, and there is no such file; "
                "names stand in a list, such as ['jump', 'run']"
            )
        return read_classes(classes)
    if isinstance(classes, bool | bytes) or not isinstance(classes, int | Iterable):
        raise ModelError(f"classes: a number, names, or a class file, got {classes!r}")
    if isinstance(classes, int):
        if classes < 1:
            raise ModelError(f"classes: at least one, got {classes}")
        return numbered(classes)
    names = _of_table(classes) if isinstance(classes, Mapping) else tuple(classes)
    if not names:
        raise ModelError("classes: at least one name is wanted, got none")
    texts = tuple(name for name in names if isinstance(name, str))
    if len(texts) < len(names):
        strange = next(name for name in names if not isinstance(name, str))
        raise ModelError(f"classes: each is the text of a name, got {strange!r}")
    try:
        check_names(texts, source="classes")
    except DataError as error:
        raise ModelError(str(error)) from error
    return texts


def _of_table(table: Mapping[object, object]) -> tuple[object, ...]:
    """The names by their numbers; ModelError where it is not clear which are which."""
    pairs = list(table.items())
    numbers = [{_number(number): name for number, name in side} for side in (pairs, [(b, a) for a, b in pairs])]
    fitting = [side for side in numbers if len(side) == len(pairs) and set(side) == set(range(len(pairs)))]
    if len(fitting) != 1:
        shown = dict(pairs[:4])
        raise ModelError(
            f"classes: a mapping gives each number from 0 to {len(pairs) - 1} its name, or each name its number, "
            f"got {shown!r}{' …' if len(pairs) > 4 else ''}"
        )
    return tuple(fitting[0][place] for place in range(len(pairs)))


def _number(value: object) -> int | None:
    """A whole number, also as the text that JSON makes of keys; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else None
