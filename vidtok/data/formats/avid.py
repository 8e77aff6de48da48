"""AViD: one JSON object from file names to class names."""

from collections.abc import Sequence
from pathlib import Path

from vidtok.choices import NoLabels
from vidtok.data.classes import ClassIndex
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.text.file import read_json


def read_avid(
    path: Path,
    *,
    root: Path,
    classes: Sequence[str] | None = None,
    none: NoLabels = "class",
) -> tuple[Records, tuple[str, ...] | None]:
    """`avid_train.json` and `avid_val.json`: {"yrpxojhg.mp4": "playing harmonica", …}; the files lie in root.

    No order of the classes is official: without `classes` it is that of the names, sorted. Make it from the training
    list, since the validation list lacks some classes. Videos of the class "none", and those whose class is an empty
    text, show no action: with none="class" they make a class "none", with none="drop" they are left out.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise DataError(f'{path}: a list of AViD is an object {{"FILE.mp4": "class", …}}')
    index, builder, idle = ClassIndex(classes, source=path), RecordsBuilder(), 0
    known: dict[str, tuple[int]] = {}  # texts that are no "none": most rows have one that was read before
    for name, text in content.items():
        if not isinstance(text, str):
            raise DataError(f"{path}: {name!r}: the class is a text, not {text!r}")
        labels = known.get(text)
        if labels is None:
            label = text.strip() or "none"
            if label == "none":
                idle += 1
                if none == "drop":
                    continue
            labels = (index.label(label),)
            if label != "none":
                known[text] = labels
        builder.add(name, labels)
    fate = "make the class 'none'" if none == "class" else "are left out"
    notes = [f"{idle} videos that show no action (class none or empty) {fate}"] if idle else []
    columns = builder.columns(relabel=index.relabel())
    if not len(columns.label_ends):
        raise DataError(f"{path}: no video shows an action, and none=drop leaves the others out")
    return Records.from_columns(columns, root=root, source=path, form="avid", notes=notes), index.names()
