"""What forms with parts of videos share: records with a start and an end, times of frames, names that stay below."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import TypeGuard

import numpy as np
from jaxtyping import Float64

from vidtok.data.classes import ClassIndex
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError, DecodeError
from vidtok.video.packets import PacketReader

Result = tuple[Records, tuple[str, ...] | None]


class Segments:
    """Takes parts of videos and their labels, by name or by number, one by one, and makes the records of them.

    A part that ends before it begins is a DataError in one's own labels; published lists have some, which are left out
    and counted in a note.
    """

    def __init__(self, path: Path, *, root: Path, classes: Sequence[str] | None, form: str, published: bool = False):
        self.path, self.root, self.form = path, root, form
        self.notes: list[str] = []
        self._published = published
        self._index, self._builder = ClassIndex(classes, source=path), RecordsBuilder()
        self._backwards: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._builder)

    def add(
        self,
        name: str,
        labels: Iterable[str | int],
        *,
        place: str,
        start: float | None = None,
        end: float | None = None,
        video_id: str | None = None,
        fps: float | None = None,
    ) -> None:
        """`place` says in messages where in the list this stands."""
        for value in (start, end):
            if value is not None and (not isfinite(value) or value < 0):
                raise DataError(f"{place}: times are seconds from 0 on, not {value:g}")
        if end is not None and end <= (start or 0.0):
            if not self._published:
                raise DataError(f"{place}: the part ends at {end:g} s, and begins at {start or 0:g} s")
            self._backwards[place] += 1
            return
        numbers = [
            each if isinstance(each, int) else self._index.label(check_label(each, place), line=place)
            for each in labels
        ]
        self._builder.add(name, numbers, video_id=video_id, start_seconds=start, end_seconds=end, fps=fps)

    def result(self, *, names: Sequence[str] | None = None) -> Result:
        """Records and classes; `names` are the classes where the labels are numbers. DataError for an empty list."""
        if self._backwards:
            first = next(iter(self._backwards))
            self.notes.append(
                f"{self._backwards.total()} parts end before they begin and are left out, such as {first}"
            )
        columns = self._builder.columns(relabel=self._index.relabel())
        if not len(columns.label_ends):
            raise DataError("; ".join([f"{self.path}: no labelled part of a video in it", *self.notes]))
        records = Records.from_columns(columns, root=self.root, source=self.path, form=self.form, notes=self.notes)
        return records, tuple(names) if names is not None else self._index.names()


def check_label(label: object, place: str) -> str:
    if not isinstance(label, str) or not label.strip():
        raise DataError(f"{place}: a label is the name of a class, not {label!r:.80}")
    return label.strip()


def seconds_pair(value: object, place: str, key: str) -> tuple[float, float]:
    """`[start, end]` of JSON."""
    if isinstance(value, list) and len(value) == 2 and is_seconds(value[0]) and is_seconds(value[1]):
        return float(value[0]), float(value[1])
    raise DataError(f"{place}: {key} is [start, end] in seconds, not {value!r:.80}")


def is_seconds(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def to_seconds(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{place}: {text!r} is no number of seconds") from None


def check_id(video_id: object, place: str) -> str:
    """An id, which becomes a file's name, and is that and nothing more. DataError where it would lead elsewhere."""
    if not isinstance(video_id, str) or not video_id or video_id in (".", "..") or set(video_id) & set("/\\\0"):
        raise DataError(f"{place}: {video_id!r:.80} is no id of a video: it becomes the name of a file")
    return video_id


def name_below(root: Path, names: Iterable[str]) -> str:
    """Where a video lies of which a tool knows its own paths: the first that is there, below the root.

    Paths that lead out of the root, or are those of another machine, count by their last part alone.
    """
    tried = []
    for name in filter(None, names):
        pure = PurePosixPath(name.replace("\\", "/"))
        if not pure.is_absolute() and ".." not in pure.parts and ":" not in pure.parts[0]:
            tried.append(pure.as_posix())
        tried.append(pure.name)
    return next((name for name in tried if (root / name).exists()), tried[0])


class FrameTimes:
    """When the frames that a tool counts, from 0 on, are shown.

    At a given rate frame `i` is shown at `i / fps`; without one the video itself is asked, which has to be there.
    """

    def __init__(self, root: Path, *, fps: float | None):
        self.root, self.fps = root, fps
        self._known: dict[str, Float64[np.ndarray, "n"]] = {}

    def seconds(self, name: str, frame: int, place: str) -> float | None:
        """By the clock of the file; None behind its last frame."""
        if frame < 0:
            raise DataError(f"{place}: frames count from 0, not {frame}")
        if self.fps is not None:
            return frame / self.fps
        if name not in self._known:
            self._known[name] = self._read(name, place)
        shown = self._known[name]
        return float(shown[frame]) if frame < len(shown) else None

    def _read(self, name: str, place: str) -> Float64[np.ndarray, "n"]:
        try:
            with PacketReader(self.root / name) as video:
                return (video.pts_seconds - video.start_seconds).numpy()
        except DecodeError as error:
            raise DataError(
                f"{place}: frames are counted here, and only the video tells their times: {error}. Name its folder as "
                "the root, or the rate by which the frames were counted, `fps`"
            ) from error
