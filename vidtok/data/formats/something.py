"""Something-Something: the semicolon lists of version 1 and the JSON lists of version 2."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from vidtok.data.classes import ClassIndex
from vidtok.data.formats.disk import MediaFinder
from vidtok.data.lines import numbered_lines
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.text.classes import read_classes
from vidtok.text.file import read_json

FPS = 12.0
Result = tuple[Records, tuple[str, ...] | None]


def read_something_v1(path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float = FPS) -> Result:
    """`something-something-v1-train.csv`: `ID;class` lines.

    A video is a folder root/ID of pictures at `fps`, or root/ID.webm. Without `classes` their order is that of
    `something-something-v1-labels.csv` where it lies beside the list, else that of the names, sorted.
    """

    def rows() -> Iterable[tuple[int, str, str]]:
        for line, text in numbered_lines(path):
            name, _, label = text.partition(";")
            if not name.isdecimal() or not label:
                raise DataError(f"{path}:{line}: a line is `ID;class`, with a number as ID, not {text!r}")
            yield line, name, label

    return _read(path, rows(), root, classes, fps, form="something_v1", labels="csv", usual="")


def read_something_v2(path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float = FPS) -> Result:
    """`something-something-v2-train.json`: objects with `id` and `template`, which without its brackets is the class.

    A video is root/ID.webm, or a folder root/ID of pictures at `fps`. Without `classes` their order is that of
    `something-something-v2-labels.json` where it lies beside the list, else that of the names, sorted: the same.
    """
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise DataError(f'{path}: a list of Something-Something v2 is [{{"id": …, "template": …}}, …]')

    def rows() -> Iterable[tuple[None, str, str]]:
        for place, item in enumerate(content):
            if not isinstance(item, dict) or "id" not in item or not isinstance(item.get("template"), str):
                raise DataError(f"{path}: entry {place} (from 0) has no id or no template: {str(item)[:80]}")
            yield None, str(item["id"]), item["template"].replace("[", "").replace("]", "")

    return _read(path, rows(), root, classes, fps, form="something_v2", labels="json", usual=".webm")


def _read(
    path: Path,
    rows: Iterable[tuple[int | None, str, str]],
    root: Path,
    classes: Sequence[str] | None,
    fps: float,
    *,
    form: str,
    labels: str,
    usual: str,
) -> Result:
    official = sorted(path.parent.glob(f"something-something-*-labels.{labels}"))
    if classes is None and official:
        classes = read_classes(official[0])
    index, finder, builder = ClassIndex(classes, source=path), MediaFinder(root), RecordsBuilder()
    for line, name, label in rows:
        found = finder.find((name,))
        is_folder = found.is_folder if found else not usual
        builder.add(
            found.name if found else f"{name}{usual}",
            (index.label(label, line=line),),
            video_id=name,
            fps=fps if is_folder else None,
        )
    columns = builder.columns(relabel=index.relabel())
    return Records.from_columns(columns, root=root, source=path, form=form), index.names()
