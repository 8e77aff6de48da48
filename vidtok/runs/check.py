"""Decode every video of a list or folder, and write a report and a list without the bad ones."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.choices import Backend
from vidtok.data.classes import ClassIndex
from vidtok.errors import DataError
from vidtok.runs.each_file import Done
from vidtok.runs.report import FileReport, ReportRow, bytes_of, fill, named_bad, named_damaged
from vidtok.runs.video_set import VideoSet, find_videos
from vidtok.text.classes import class_order
from vidtok.text.console import say
from vidtok.train.parallel import usable_cores
from vidtok.video.check import VideoFacts, check_video
from vidtok.video.endings import MEDIA_SUFFIXES
from vidtok.video.reader import check_backend
from vidtok.video.source import is_url

COLUMNS = (
    *("path", "ok", "frames", "fps", "seconds", "width", "height", "codec", "container", "variable_rate"),
    *("damaged_frames", "bytes", "backend", "cause"),
)
NAMED = 8  # sizes and codecs in the summary


def run_check(
    source: str | Path,
    *,
    root: str | Path | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    backend: Backend = "pyav",
    timeout_seconds: float = 60.0,
    fresh: bool = False,
    leave_out_damaged: bool = False,
) -> int:
    """Decode every video of a list or folder, write a report and a list without the bad ones; how many are bad.

    `root`: where relative paths of the list begin, by default its folder. `out`: the folder to write into, by default
    the list's own. `workers`: processes, by default one for each core. A file may take `timeout_seconds` to open, and
    to its next frame. `fresh` reads files again that the report knows as good. `leave_out_damaged`: videos with damaged
    frames are left out of the new list as bad ones are, and counted with them.
    """
    check_backend(backend)
    videos = find_videos([source], root=root, endings=MEDIA_SUFFIXES)
    source = Path(source)
    if out is None and is_url(source):
        raise DataError(f"{source}: a report cannot be written there: name a folder for it (`out`)")
    out = Path(out) if out else source if source.is_dir() else source.parent
    stem = "" if source.is_dir() else f"{source.stem}."
    work = Check(backend=backend, timeout_seconds=timeout_seconds)
    with FileReport(out / f"{stem}check.csv", COLUMNS, fresh=fresh) as report:
        jobs = {
            name: videos.path(name)
            for name in videos.names
            if not is_known(report.rows.get(name), videos.path(name), backend)
        }
        if known := len(videos.names) - len(jobs):
            say(f"{known} of {len(videos.names)} files are known from {report.path}; --fresh reads them again")
        fill(
            *(report, work, jobs, lambda name, done: check_row(name, jobs[name], done, backend)),
            total=len(videos.names),
            workers=workers or usable_cores(),
            timeout_seconds=timeout_seconds,
        )
    rows = [report.rows[name] for name in videos.names]
    report.write(rows)
    say("\n".join([*summary(rows), f"report: {report.path}"]))
    bad = {row["path"] for row in rows if row["ok"] == "no" or (leave_out_damaged and row["damaged_frames"] != "0")}
    say("\n".join(write_clean_list(videos, bad, out=out, stem=stem)))
    return len(bad)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a worker process does with a path."""

    backend: str
    timeout_seconds: float

    def __call__(self, path: Path, alive: Callable[[], None]) -> VideoFacts:
        return check_video(path, backend=self.backend, timeout_seconds=self.timeout_seconds, on_frame=alive)


def is_known(row: ReportRow | None, path: Path, backend: str) -> bool:
    """Whether the report says that this file is good, as this backend reads it."""
    return row is not None and row["ok"] == "yes" and row["backend"] == backend and row["bytes"] == bytes_of(path)


def check_row(name: str, path: Path, done: Done, backend: str) -> ReportRow:
    row = dict.fromkeys(COLUMNS, "") | {"path": name, "bytes": bytes_of(path), "backend": backend}
    if done.cause is not None:
        return row | {"ok": "no", "cause": done.cause.removeprefix(f"{path}: ")}
    facts: VideoFacts = done.result
    return row | {
        "ok": "yes",
        "frames": str(facts.frames),
        "fps": f"{facts.fps:.3f}",
        "seconds": f"{facts.seconds:.3f}",
        "width": str(facts.size[1]),
        "height": str(facts.size[0]),
        "codec": facts.codec,
        "container": facts.container,
        "variable_rate": "yes" if facts.has_variable_rate else "no",
        "damaged_frames": str(facts.damaged_frames),
    }


def summary(rows: Sequence[ReportRow]) -> list[str]:
    """What a person wants to know of the report."""
    good = [row for row in rows if row["ok"] == "yes"]
    lines = named_bad(rows)
    if good:
        rates = sorted(float(row["fps"]) for row in good)
        by_length = sorted(good, key=lambda row: float(row["seconds"]))
        lines.append(f"frames per second: {rates[0]:g} to {rates[-1]:g}")
        for word, row in (("shortest", by_length[0]), ("longest", by_length[-1])):
            lines.append(f"{word}: {float(row['seconds']):.2f} s (frames: {row['frames']}), {row['path']}")
        lines.append("sizes: " + commonest(f"{row['width']}x{row['height']}" for row in good))
        lines.append("codecs: " + commonest(row["codec"] or "pictures" for row in good))
    if count := sum(row["variable_rate"] == "yes" for row in good):
        lines.append(f"videos with a variable rate: {count}, see the report")
    return [*lines, *named_damaged(rows)]


def commonest(words: Iterable[str]) -> str:
    counts = Counter(words).most_common()
    rest = sum(count for _, count in counts[NAMED:])
    return ", ".join(f"{word} ({count})" for word, count in counts[:NAMED]) + (f", others ({rest})" if rest else "")


def write_clean_list(videos: VideoSet, bad: Collection[str], *, out: Path, stem: str) -> list[str]:
    """Write the list without the bad videos, or for a folder with a sub-folder per class a list; say what was done."""
    if videos.lists:
        (listed,) = videos.lists
        clean = out / f"{stem}clean{listed.path.suffix}"
        clean.write_bytes(listed.without(bad))
        words = f"list without the bad files: {clean}"
        return [words if out.absolute() == videos.root.absolute() else f"{words} (its paths belong to {videos.root})"]
    if videos.shards:
        return ["shards are no list: `vidtok lists SHARDS --to LIST.csv`, and this command on that, leaves videos out"]
    if any("/" not in name for name in videos.names):
        return []  # not a folder per class: there is no list of it
    classes = class_order({name.split("/")[0] for name in videos.names})
    # Classes called by numbers are written by name: a reader takes their numbers for names.
    by_name = ClassIndex(classes, source=out).numbers_are_names
    words = {name: name if by_name else str(label) for label, name in enumerate(classes)}
    lines = [f"{name} {words[name.split('/')[0]]}\n" for name in videos.names if name not in bad]
    (out / "clean.csv").write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
    named = "".join(f"{name}\n" for name in classes)
    (out / "clean.classes.txt").write_text(named, encoding="utf-8", errors="surrogateescape")
    return [f"list of the good files: {out / 'clean.csv'}, its classes: {out / 'clean.classes.txt'}"]
