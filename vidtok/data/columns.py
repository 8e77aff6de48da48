"""Names of the columns of tables (CSV, TSV, JSON objects): which one is the path, and which one the label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vidtok.errors import DataError

PATH_WORDS = (
    *("path", "filename", "file", "filepath", "video", "videopath", "videofile", "videofilename", "videoname"),
    *("clip", "clippath", "clipfile", "clipname", "relpath", "relativepath", "image", "imagepath", "img", "imgpath"),
)
LABEL_WORDS = (
    *("labels", "label", "class", "classes", "classname", "classid", "classidx", "classindex", "classlabel"),
    *("category", "categoryname", "action", "actionname", "actionlabel", "activity", "gesture", "target"),
    *("labelname", "labelid", "labelidx", "labelindex", "y"),
)
UNDERSTOOD = (
    "understood are path, or filename, file, file_path, video, video_path, video_name, clip, clip_path or image, and "
    "label, or labels, class, class_name, class_id, category, action, activity or target; the case of letters and "
    "what stands between words do not count"
)
OWN = ("video_id", "start", "end", "fps")


@dataclass(frozen=True, kw_only=True)
class TableColumns:
    """The columns of a table by their names as it writes them; None for those of `OWN` that it has not."""

    path: str
    label: str
    video_id: str | None
    start: str | None
    end: str | None
    fps: str | None


def plain_name(name: str) -> str:
    """`File Name`, `file_name` and `filename` are one."""
    return re.sub(r"[\W_]", "", name).lower()


def path_columns(names: Sequence[str]) -> list[str]:
    """The columns that may be the path: the one called so, or all that are called a word for it."""
    return ["path"] if "path" in names else [name for name in names if plain_name(name) in PATH_WORDS]


def label_columns(names: Sequence[str]) -> list[str]:
    """The columns that may be the label: those called so, or all that are called a word for it."""
    own = [name for name in names if plain_name(name) in ("label", "labels")]
    return own or [name for name in names if plain_name(name) in LABEL_WORDS]


def table_columns(names: Sequence[str], *, source: str) -> TableColumns:
    """The columns of a table; DataError, which names those that would do, where one is not there, or not known."""
    path = names[path_column(names, source=source)]
    label = _only(label_columns(names), "label", names, source=source)
    if len(set(names)) < len(names):
        raise DataError(f"{source}: a column name stands twice in the header {','.join(names)!r}")
    own = {name: name if name in names and name not in (path, label) else None for name in OWN}
    return TableColumns(path=path, label=label, **own)


def path_column(names: Sequence[str], *, source: str) -> int:
    """The place of the column of paths; DataError where there is none, or several may be it."""
    return names.index(_only(path_columns(names), "path", names, source=source))


def _only(columns: Sequence[str], word: str, names: Sequence[str], *, source: str) -> str:
    header = ",".join(names)
    if not columns:
        raise DataError(f"{source}: no column {word!r}; the header is {header!r}; {UNDERSTOOD}")
    if len(set(columns)) > 1:
        raise DataError(
            f"{source}: which column is the {word}: {' or '.join(map(repr, columns))}? Call that one {word}, and the "
            f"others something else; the header is {header!r}"
        )
    return columns[0]


def is_header(names: Sequence[str]) -> bool:
    """Whether cells are names of columns, whether or not all that are needed are there."""
    words = [plain_name(name) for name in names]
    is_known = any(word in PATH_WORDS for word in words) or any(word in LABEL_WORDS for word in words)
    return is_known and not any(re.fullmatch(r"-?[\d.]+", name.strip()) for name in names)
