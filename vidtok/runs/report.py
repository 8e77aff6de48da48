"""A report with one CSV row per file, written as the files come, so that a command can go on where it stopped."""

import csv
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from vidtok.errors import DataError
from vidtok.runs.each_file import Done, Work, each_file
from vidtok.runs.progress import FileProgress
from vidtok.video.source import is_stored, is_url, stored_bytes

ReportRow = Mapping[str, str]
GRACE_SECONDS = 10.0  # a reader that is too slow may say so itself
SHOWN_FILES = 10  # named where there are more


class FileReport:
    """Rows of these columns; `path` names the file, `ok` is yes or no. `rows` has those of an earlier run, too.

    A row that was cut off when a run was killed does not count. Use it as a context manager: within, rows are added.
    Raises DataError where the file is something else, or cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, fresh: bool = False):
        self.path = path
        self.columns = tuple(columns)
        known = self._read()
        self.rows: dict[str, ReportRow] = {} if fresh else known
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.write(self.rows.values())
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}; name another folder") from error
        self._file = open(path, "a", encoding="utf-8", newline="", errors="surrogateescape")  # noqa: SIM115

    def _read(self) -> dict[str, ReportRow]:
        if not self.path.is_file():
            return {}
        with open(self.path, encoding="utf-8", newline="", errors="surrogateescape") as file:
            header, *rows = [*csv.reader(file)] or [[]]
        if tuple(header) != self.columns:
            raise DataError(
                f"{self.path}: is in the way: not a report of this command; move it, or name another folder"
            )
        whole = (dict(zip(self.columns, row, strict=True)) for row in rows if len(row) == len(self.columns))
        return {row["path"]: row for row in whole}

    def add(self, row: ReportRow) -> None:
        """Into the file at once."""
        self.rows[row["path"]] = row
        csv.DictWriter(self._file, self.columns, lineterminator="\n").writerow(row)
        self._file.flush()

    def write(self, rows: Iterable[ReportRow]) -> None:
        """The file anew, with these rows."""
        aside = self.path.with_name(f".{self.path.name}.part")
        with open(aside, "w", encoding="utf-8", newline="", errors="surrogateescape") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(aside, self.path)

    def __enter__(self) -> "FileReport":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def fill(
    report: FileReport,
    work: Work,
    jobs: Mapping[str, Any],
    to_row: Callable[[str, Done], ReportRow],
    *,
    total: int,
    workers: int,
    timeout_seconds: float,
) -> None:
    """Do the job of each name in worker processes and add the row that `to_row` makes of it.

    `total` counts those of earlier runs, too.

    `timeout_seconds` is what the work itself allows for a step. Ctrl-C ends it; what is in the report by then stays.
    """
    names = tuple(jobs)
    results = each_file(work, list(jobs.values()), workers=workers, timeout_seconds=timeout_seconds + GRACE_SECONDS)
    with closing(results), FileProgress(total, done=total - len(jobs)) as progress:
        try:
            for done in results:
                row = to_row(names[done.job], done)
                report.add(row)
                if row["ok"] == "no":
                    progress.say(f"bad: {row['path']}: {row['cause']}")
                progress.add(bad=row["ok"] == "no")
        except KeyboardInterrupt:
            progress.say(
                f"stopped: {progress.done} of {total} files are done ({report.path}); the same command goes on"
            )
            raise


def bytes_of(path: Path) -> str:
    """Bytes of a file or of an archive's member; nothing for a folder, for a URL and for what is not there."""
    try:
        if is_stored(path):
            return "" if is_url(path) else str(stored_bytes(path))
        return str(path.stat().st_size) if not path.is_dir() else ""
    except OSError:
        return ""


def named_bad(rows: Sequence[ReportRow]) -> list[str]:
    """Lines that name the first bad files with their causes."""
    bad = [row for row in rows if row["ok"] == "no"]
    more = [f"  and {len(bad) - SHOWN_FILES} more"] if len(bad) > SHOWN_FILES else []
    return [
        f"{len(rows)} files, {len(bad)} bad",
        *(f"  {row['path']}: {row['cause']}" for row in bad[:SHOWN_FILES]),
        *more,
    ]


def named_damaged(rows: Sequence[ReportRow]) -> list[str]:
    """Lines that name the first files in which damage has spoiled frames that the decoder gives all the same."""
    damaged = [row for row in rows if row["ok"] == "yes" and row["damaged_frames"] not in ("", "0")]
    if not damaged:
        return []
    more = [f"  and {len(damaged) - SHOWN_FILES} more"] if len(damaged) > SHOWN_FILES else []
    head = f"with damaged frames: {len(damaged)}, see the report"
    return [
        head,
        *(f"  {row['path']}: {row['damaged_frames']} of {row['frames']}" for row in damaged[:SHOWN_FILES]),
        *more,
    ]
