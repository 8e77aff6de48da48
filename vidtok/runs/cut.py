"""Cut the records of lists out of their videos, one file for each, and write the lists anew."""

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidtok.data.csv_list import write_csv
from vidtok.data.lists import describe, open_list, read_classes
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import ConfigError, DataError
from vidtok.runs.each_file import Done, each_file
from vidtok.runs.lists import write_classes
from vidtok.runs.prepare import DEFAULTS, Settings, is_finished, keep_settings, target_names
from vidtok.runs.progress import FileProgress
from vidtok.runs.report import GRACE_SECONDS, FileReport, ReportRow, bytes_of, named_bad, named_damaged
from vidtok.runs.video_set import VideoSet
from vidtok.text.console import say
from vidtok.train.parallel import usable_cores
from vidtok.types import Record
from vidtok.video.cut import Cut, cut_video
from vidtok.video.prepare import Prepared, part_file
from vidtok.video.reader import holds_pictures

COLUMNS = ("path", "ok", "source", "start", "end", "frames", "bytes_before", "bytes", "damaged_frames", "cause")
Job = tuple[Path, list[Cut]]


@dataclass(frozen=True, kw_only=True)
class CutOut:
    """What a worker process does with a video and the parts of it."""

    settings: Settings
    timeout_seconds: float

    def __call__(self, job: Job, alive: Callable[[], None]) -> list[Prepared | str]:
        options = dataclasses.asdict(self.settings)
        return cut_video(*job, **options, timeout_seconds=self.timeout_seconds, on_frame=alive)


def run_cut(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    settings: Settings = DEFAULTS,
    root: str | Path | None = None,
    classes: str | Path | None = None,
    workers: int | None = None,
    timeout_seconds: float = 60.0,
) -> int:
    """Write each record of these lists, of any form, into a file of its own, and the lists as CSV; how many were bad.

    A record without start and end is the whole video. Two records of the same part share a file. A video is decoded
    once for all of its records. Started again it goes on where it stopped. `classes` is a class file; without it the
    names of the first list are those of the others too, and go to OUT/classes.txt.
    """
    out = Path(out)
    given = read_classes(classes) if classes else None
    lists: list[Records] = []
    names: Sequence[str] | None = given
    for source in sources:
        records, own = open_list(source, root=root, classes=names)
        say(describe(records))
        lists.append(records)
        names = names if names is not None else own
    check_lists(lists, out)
    targets = [cut_names(records) for records in lists]
    cuts, homes = jobs_of(lists, targets, out)
    keep_settings(out / "prepare.json", settings)
    with FileReport(out / "cut.csv", COLUMNS) as report:
        waiting: dict[Path, list[Cut]] = {}
        for name, cut in cuts.items():
            if not is_finished(report.rows.get(name), homes[name], cut.target):
                cut.target.unlink(missing_ok=True)  # of another video that had this name
                waiting.setdefault(homes[name], []).append(cut)
        if finished := len(cuts) - sum(map(len, waiting.values())):
            say(f"{finished} of {len(cuts)} files are in {out} already")
        jobs: list[Job] = list(waiting.items())
        work = CutOut(settings=settings, timeout_seconds=timeout_seconds)
        results = each_file(
            work, jobs, workers=workers or usable_cores(), timeout_seconds=timeout_seconds + GRACE_SECONDS
        )
        with closing(results), FileProgress(len(cuts), done=finished) as progress:
            for done in results:
                for row in rows_of(jobs[done.job], done, out):
                    report.add(row)
                    if row["ok"] == "no":
                        progress.say(f"bad: {row['path']}: {row['cause']}")
                    progress.add(bad=row["ok"] == "no")
        rows = [cut_row(report.rows.get(name), name, cut, homes[name]) for name, cut in cuts.items()]
    report.write({**report.rows, **{row["path"]: row for row in rows}}.values())
    good = {row["path"] for row in rows if row["ok"] == "yes"}
    if names is not None and given is None:
        write_classes(out / "classes.txt", names)
    written = [write_cut_list(*pair, good, out, names) for pair in zip(lists, targets, strict=True)]
    say("\n".join([*named_bad(rows), *named_damaged(rows)]))
    say(f"report: {report.path}" + "".join(f"\nlist: {path}" for path in written))
    return len(rows) - len(good)


def check_lists(lists: Sequence[Records], out: Path) -> None:
    """Raise ConfigError where writing would overwrite the originals, or lists each other."""
    stems = [records.source.stem for records in lists]
    if len(set(stems)) < len(stems):
        raise ConfigError(f"the lists {', '.join(str(records.source) for records in lists)} need names that differ")
    for records in lists:
        if out.resolve() in (records.root.resolve(), records.source.parent.resolve()):
            raise ConfigError(f"{out}: lies in the folder of the originals, {records.root}; name another one")


def cut_names(records: Records) -> list[str]:
    """The new name of each record: its video's path below the root, and from when to when: `in/a_2.5-12.5.mp4`."""
    names = records.names()
    whole = target_names(VideoSet(root=records.root, names=tuple(dict.fromkeys(names)), lists=()))
    cut = []
    for name, (start, end) in zip(names, records.parts(), strict=True):
        target = Path(whole[name])
        times = "" if start is None and end is None else f"_{_words(start or 0.0)}-{_words(end)}"
        cut.append((target.parent / f"{target.stem}{times}.mp4").as_posix())
    return cut


def jobs_of(
    lists: Sequence[Records], targets: Sequence[Sequence[str]], out: Path
) -> tuple[dict[str, Cut], dict[str, Path]]:
    """The cut of each new name, and the video that it comes from. DataError where two want the same name."""
    cuts: dict[str, Cut] = {}
    homes: dict[str, Path] = {}
    owners: dict[str, Record] = {}
    for records, names in zip(lists, targets, strict=True):
        for record, name in zip(records, names, strict=True):
            if holds_pictures(record.path):
                raise DataError(f"{records.source}: {record.path}: only videos are cut, and these are pictures")
            other = owners.setdefault(name, record)
            if (other.path, _part(other)) != (record.path, _part(record)):
                raise DataError(f"{other.key} and {record.key} would both be written as {name}; rename one of them")
            cuts[name] = Cut(target=out / name, start_seconds=record.start_seconds, end_seconds=record.end_seconds)
            homes[name] = record.path
    return cuts, homes


def _part(record: Record) -> tuple[float, float | None]:
    return record.start_seconds or 0.0, record.end_seconds


def rows_of(job: Job, done: Done, out: Path) -> list[ReportRow]:
    """A row for each cut of a video; where the video failed, those that were finished before it are good."""
    source, cuts = job
    rows = []
    for place, cut in enumerate(cuts):
        name = cut.target.relative_to(out).as_posix()
        facts = done.result[place] if done.cause is None else None
        if isinstance(facts, Prepared):
            row = _row(name, cut, source) | {"frames": str(facts.frames), "damaged_frames": str(facts.damaged_frames)}
            rows.append(row | {"ok": "yes", "bytes": str(facts.bytes)})
        elif facts is None and cut.target.is_file():
            rows.append(_row(name, cut, source) | {"ok": "yes", "bytes": bytes_of(cut.target)})
        else:
            part_file(cut.target, process=done.process).unlink(missing_ok=True)  # left by a process that died
            cause = str(facts if facts is not None else done.cause).removeprefix(f"{source}: ")
            rows.append(_row(name, cut, source) | {"ok": "no", "cause": cause})
    return rows


def cut_row(row: ReportRow | None, name: str, cut: Cut, source: Path) -> ReportRow:
    """The report's row, or for a file that was finished when the run was killed, before its row, what is known."""
    if row is not None and (row["ok"] == "yes" or not cut.target.is_file()):
        return row
    return _row(name, cut, source) | {"ok": "yes", "bytes": bytes_of(cut.target)}


def _row(name: str, cut: Cut, source: Path) -> dict[str, str]:
    known = {"path": name, "source": str(source), "bytes_before": bytes_of(source)}
    times = {"start": _words(cut.start_seconds or 0.0), "end": _words(cut.end_seconds)}
    return dict.fromkeys(COLUMNS, "") | known | times


def write_cut_list(
    records: Records, targets: Sequence[str], good: set[str], out: Path, classes: Sequence[str] | None
) -> Path:
    """The list anew: a line for each record that could be cut, whose labels' own times count from its start."""
    builder = RecordsBuilder()
    for record, name in zip(records, targets, strict=True):
        if name in good:
            builder.add(name, record.labels, intervals=_moved(record))
    path = out / f"{records.source.stem}.csv"
    write_csv(path, Records.from_columns(builder.columns(), root=out, source=path, form="csv"), classes=classes)
    return path


def _moved(record: Record) -> list[tuple[float, float]]:
    """Times of labels, by the clock of the cut; those outside of it keep their label and no time of it."""
    start, end = _part(record)
    last = np.inf if end is None else end - start
    return [(min(max(one - start, 0.0), last), min(max(two - start, 0.0), last)) for one, two in record.intervals]


def _words(seconds: float | None) -> str:
    return "end" if seconds is None else np.format_float_positional(seconds, trim="-")
