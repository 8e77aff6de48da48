"""Charades: its official CSV files, and the frame lists of PySlowFast and pytorchvideo."""

import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.data.csv_list import csv_header, csv_rows
from vidtok.data.formats.disk import MediaFinder
from vidtok.data.lines import numbered_lines
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError

CLASSES = 157
FPS = 24.0
FRAMES_HEADER = "original_vido_id video_id frame_id path labels"  # the slip of the pen is the form's own
Classes = tuple[str, ...]


def read_charades(
    path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float = FPS
) -> tuple[Records, Classes]:
    """`Charades_v1_train.csv` and `_test.csv`: actions `c092 11.90 21.20;c147 0.00 12.60` become labels with times.

    A video is root/ID.mp4, or a folder root/ID of pictures at `fps`. An action that ends before it begins keeps its
    label and gets no time, so that it counts in testing and never in training.
    """
    rows = csv_rows(path)
    places = csv_header(path, rows, ("id", "actions"))
    finder, builder, odd = MediaFinder(root), RecordsBuilder(), 0
    for line, row in rows:
        if len(row) != len(places):
            raise DataError(f"{path}:{line}: {len(row)} cells, but the header has {len(places)}")
        labels: list[int] = []
        intervals: list[tuple[float, float]] = []
        for action in filter(None, (part.strip() for part in row[places["actions"]].split(";"))):
            match = re.fullmatch(r"c(\d{3}) (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)", action)
            if match is None or int(match[1]) >= CLASSES:
                raise DataError(f"{path}:{line}: an action is written `c092 11.90 21.20`, c000 to c156, not {action!r}")
            start, end = float(match[2]), float(match[3])
            odd += end < start
            labels.append(int(match[1]))
            intervals.append((start, max(start, end)))
        _add(builder, finder, row[places["id"]].strip(), labels, intervals, fps)
    notes = [f"{odd} actions end before they begin: they count in testing only"] if odd else []
    return _records(builder, path, root, "charades", notes), _names(classes)


def read_charades_frames(
    path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float = FPS
) -> tuple[Records, Classes]:
    """A row per frame, with the header `original_vido_id video_id frame_id path labels` and labels such as "1,22,97".

    Frames that follow each other with the same label make one time of that label. A video is the folder of the frames'
    paths, pictures at `fps`, or root/ID.mp4 where there is such a file and no folder.
    """
    finder, builder = MediaFinder(root), RecordsBuilder()
    video, folder, frames, before = "", "", 0, ""
    open_runs: dict[int, int] = {}
    runs: list[tuple[int, int, int]] = []
    seen: set[str] = set()

    def close_runs(kept: frozenset[int]) -> None:
        for label in [label for label in open_runs if label not in kept]:
            runs.append((open_runs.pop(label), frames, label))

    def end_video() -> None:
        close_runs(frozenset())
        runs.sort()
        intervals = [(start / fps, end / fps) for start, end, _ in runs]
        _add(builder, finder, video, [label for _, _, label in runs], intervals, fps, folder=folder)

    for line, text in numbered_lines(path):
        cells = text.split(" ")
        if line == 1 and text == FRAMES_HEADER:
            continue
        if len(cells) != 5 or not cells[2].isdecimal():
            raise DataError(f'{path}:{line}: a row is `ID video_id frame_id path "1,22,97"`, not {text!r}')
        if cells[0] != video:
            if video:
                end_video()
            if cells[0] in seen:
                raise DataError(f"{path}:{line}: frames of {cells[0]} again; the rows of a video follow each other")
            seen.add(cells[0])
            video, folder, frames, before = cells[0], cells[3].rpartition("/")[0], 0, '""'
            runs.clear()
        if cells[4] != before:
            before = cells[4]
            labels = _frame_labels(before, path, line)
            close_runs(labels)
            for label in labels:
                open_runs.setdefault(label, frames)
        frames += 1
    if video:
        end_video()
    return _records(builder, path, root, "charades_frames", []), _names(classes)


def _frame_labels(cell: str, path: Path, line: int) -> frozenset[int]:
    labels = cell.strip('"').split(",") if cell.strip('"') else []
    if not all(label.isdecimal() and int(label) < CLASSES for label in labels):
        raise DataError(f"{path}:{line}: labels are numbers from 0 to {CLASSES - 1} with commas between, not {cell}")
    return frozenset(map(int, labels))


def _add(
    builder: RecordsBuilder,
    finder: MediaFinder,
    video: str,
    labels: list[int],
    intervals: list[tuple[float, float]],
    fps: float,
    *,
    folder: str = "",
) -> None:
    """A list of frames means the frames, unless there is only a video; others a video, unless there are only frames."""
    found = None if folder and (finder.root / folder).is_dir() else finder.find((video,))
    is_folder = found.is_folder if found else bool(folder)
    name = found.name if found else folder or f"{video}.mp4"
    builder.add(name, labels, video_id=video, intervals=intervals, fps=fps if is_folder else None)


def _records(builder: RecordsBuilder, path: Path, root: Path, form: str, notes: list[str]) -> Records:
    columns = builder.columns()
    if not len(columns.label_ends):
        raise DataError(f"{path}: the list is empty")
    return Records.from_columns(columns, root=root, source=path, form=form, notes=notes)


def _names(classes: Sequence[str] | None) -> Classes:
    """The data set's own codes where no names are given."""
    return tuple(classes) if classes is not None else tuple(f"c{label:03d}" for label in range(CLASSES))
