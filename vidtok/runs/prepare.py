"""Make the videos of lists or of a folder cheap to decode, and write the lists anew."""

import dataclasses
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from vidtok.errors import ConfigError, DataError
from vidtok.runs.each_file import Done
from vidtok.runs.report import FileReport, ReportRow, bytes_of, fill, named_bad, named_damaged
from vidtok.runs.video_set import VideoSet, find_videos
from vidtok.text.console import say
from vidtok.train.parallel import usable_cores
from vidtok.video.endings import VIDEO_SUFFIXES
from vidtok.video.prepare import Prepared, part_file, prepare_video
from vidtok.video.reader import open_video
from vidtok.video.sample import clip_indices, span

COLUMNS = (
    *("path", "ok", "target", "frames", "fps", "width_before", "height_before", "width", "height"),
    *("bytes_before", "bytes", "shift_seconds", "damaged_frames", "cause"),
)
FRAMES, STRIDE = 32, 2  # of the clip that is measured
MEASURED_FILES, MEASURED_CLIPS = 5, 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What makes the written videos what they are; one folder has videos of the same settings."""

    short_side: int = 256
    gop: int = 16
    crf: int = 26
    preset: str = "medium"


DEFAULTS = Settings()


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """What a worker process does with a source and a target."""

    settings: Settings
    timeout_seconds: float

    def __call__(self, job: tuple[Path, Path], alive: Callable[[], None]) -> Prepared:
        options = dataclasses.asdict(self.settings)
        return prepare_video(*job, **options, timeout_seconds=self.timeout_seconds, on_frame=alive)


def run_prepare(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    settings: Settings = DEFAULTS,
    root: str | Path | None = None,
    workers: int | None = None,
    timeout_seconds: float = 60.0,
) -> int:
    """Write the videos of lists or of a folder anew, cheap to decode, and the lists with them; how many were bad.

    `root`: where relative paths of the lists begin, by default their folder. `workers`: processes, by default one for
    each core. A file may take `timeout_seconds` to open, and to its next frame.
    """
    out = Path(out)
    videos = find_videos(sources, root=root, endings=VIDEO_SUFFIXES)
    if videos.shards:
        raise DataError(f"{sources[0]}: shards are not prepared: unpack them into a folder, and prepare that")
    check_out(videos, out)
    targets = target_names(videos)
    keep_settings(out / "prepare.json", settings)
    with FileReport(out / "prepare.csv", COLUMNS) as report:
        jobs = {}
        for name, target in targets.items():
            if not is_finished(report.rows.get(name), videos.path(name), out / target):
                jobs[name] = (videos.path(name), out / target)
        if finished := len(targets) - len(jobs):
            say(f"{finished} of {len(targets)} files are in {out} already")
        fill(
            *(report, Prepare(settings=settings, timeout_seconds=timeout_seconds), jobs),
            lambda name, done: prepare_row(name, targets[name], jobs[name], done),
            total=len(targets),
            workers=workers or usable_cores(),
            timeout_seconds=timeout_seconds,
        )
        rows = [
            final_row(report.rows.get(name), name, videos.path(name), target, out) for name, target in targets.items()
        ]
    report.write({**report.rows, **{row["path"]: row for row in rows}}.values())
    good = {row["path"]: targets[row["path"]] for row in rows if row["ok"] == "yes"}
    lists = [write_list(out / one.path.name, one.renamed(good)) for one in videos.lists]
    gained = gain(videos, rows, out, settings.short_side, timeout_seconds=timeout_seconds)
    say("\n".join([*named_bad(rows), *sizes(rows), *named_damaged(rows), *gained]))
    say(f"report: {report.path}" + "".join(f"\nlist: {path}" for path in lists))
    return len(rows) - len(good)


def check_out(videos: VideoSet, out: Path) -> None:
    """Raise ConfigError where writing would overwrite the originals, or mix with them."""
    root, place = videos.root.resolve(), out.resolve()
    if place == root or (not videos.lists and place.is_relative_to(root)):
        raise ConfigError(f"{out}: lies in the folder of the originals, {videos.root}; name another one")
    for one in videos.lists:
        if (place / one.path.name) == one.path.resolve():
            raise ConfigError(f"{out}: the new list would overwrite {one.path}; name another folder")
    names = [one.path.name for one in videos.lists]
    if len(set(names)) < len(names):
        raise ConfigError(f"the lists {', '.join(str(one.path) for one in videos.lists)} need names that differ")


def target_names(videos: VideoSet) -> dict[str, str]:
    """The new name of each video: its path below the root, with the ending .mp4. DataError where two are the same."""
    targets: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in videos.names:
        path = Path(name)
        if path.is_absolute() and path.is_relative_to(videos.root.absolute()):
            path = path.relative_to(videos.root.absolute())
        if path.is_absolute() or ".." in path.parts:
            raise DataError(f"{name}: does not lie below {videos.root}; name the folder above all videos with --root")
        pure = PurePosixPath(path.as_posix())
        target = str(pure.with_suffix(".mp4") if pure.suffix.lower() in VIDEO_SUFFIXES else f"{pure}.mp4")
        other = owners.setdefault(target, name)
        if Path(other) != Path(name):
            raise DataError(f"{other} and {name} would both be written as {target}; rename one of them")
        targets[name] = target
    return targets


def keep_settings(path: Path, settings: Settings) -> None:
    """Write the settings, or raise ConfigError where the folder's videos were made with others."""
    ours = dataclasses.asdict(settings)
    if path.is_file():
        try:
            theirs = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{path}: not JSON ({error}); it says how the videos of this folder were made") from error
        if theirs != ours:
            raise ConfigError(
                f"{path}: the videos of this folder were made with {theirs}, not {ours}; give these settings, or "
                f"another folder"
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ours) + "\n", encoding="utf-8")


def is_finished(row: ReportRow | None, source: Path, target: Path) -> bool:
    """Whether the target is there (it is written whole or not at all) and, if known, of the source as it is now."""
    if not target.is_file():
        return False
    return row is None or row["ok"] == "no" or not source.exists() or row["bytes_before"] == bytes_of(source)


def prepare_row(name: str, target: str, job: tuple[Path, Path], done: Done) -> ReportRow:
    source, written = job
    row = dict.fromkeys(COLUMNS, "") | {"path": name, "target": target, "bytes_before": bytes_of(source)}
    if done.cause is not None:
        written.unlink(missing_ok=True)  # what was made of the file that was there before
        part_file(written, process=done.process).unlink(missing_ok=True)  # left by a process that died
        return row | {"ok": "no", "cause": done.cause.removeprefix(f"{source}: ")}
    facts: Prepared = done.result
    return row | {
        "ok": "yes",
        "frames": str(facts.frames),
        "fps": f"{facts.fps:.3f}",
        "width_before": str(facts.source_size[1]),
        "height_before": str(facts.source_size[0]),
        "width": str(facts.size[1]),
        "height": str(facts.size[0]),
        "bytes_before": str(facts.source_bytes),
        "bytes": str(facts.bytes),
        "shift_seconds": f"{facts.shift_seconds:g}",
        "damaged_frames": str(facts.damaged_frames),
    }


def final_row(row: ReportRow | None, name: str, source: Path, target: str, out: Path) -> ReportRow:
    """The report's row, or for a video that was finished when the run was killed, before its row, what is known."""
    if row is not None and (row["ok"] == "yes" or not (out / target).is_file()):
        return row
    known = {"path": name, "ok": "yes", "target": target, "bytes_before": bytes_of(source)}
    return dict.fromkeys(COLUMNS, "") | known | {"bytes": bytes_of(out / target)}


def sizes(rows: Sequence[ReportRow]) -> list[str]:
    pairs = [
        (int(row["bytes_before"]), int(row["bytes"])) for row in rows if row["ok"] == "yes" and row["bytes_before"]
    ]
    before, after = (sum(column) / 2**20 for column in zip(*pairs, strict=True)) if pairs else (0.0, 0.0)
    return [f"{before:.1f} MiB before, {after:.1f} MiB after"] if pairs else []


def gain(
    videos: VideoSet, rows: Sequence[ReportRow], out: Path, short_side: int, *, timeout_seconds: float
) -> list[str]:
    """Processor time of a random training clip before and after, on a sample of the files whose originals are there."""
    there = [row for row in rows if row["ok"] == "yes" and row["bytes_before"] == bytes_of(videos.path(row["path"]))]
    rng = random.Random(0)
    picked = rng.sample(there, min(MEASURED_FILES, len(there)))
    if not picked:
        return []
    seconds = partial(clip_seconds, short_side=short_side, timeout_seconds=timeout_seconds)
    seconds(out / picked[0]["target"], 0.0)  # the first one is slow
    pairs: list[tuple[float, float]] = []
    for row in picked * MEASURED_CLIPS:
        place = rng.random()
        both = videos.path(row["path"]), out / row["target"]
        pairs.append((seconds(both[0], place), seconds(both[1], place)))
    before, after = (1000 * sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    return [
        f"a random clip of {FRAMES} frames, stride {STRIDE}, takes {before:.0f} ms of processor time before and "
        f"{after:.0f} ms after: {before / after:.1f} times cheaper ({len(pairs)} clips of {len(picked)} files)"
    ]


def clip_seconds(path: Path, place: float, *, short_side: int, timeout_seconds: float) -> float:
    """Processor time to open a video and read a clip at this place, 0 (start) to 1 (end), as training does."""
    started = time.process_time()
    with open_video(path, timeout_seconds=timeout_seconds) as video:
        start = int(place * max(1, len(video) - span(FRAMES, STRIDE) + 1))
        indices = clip_indices(len(video), frames=FRAMES, stride=STRIDE, start=start)
        video.frames_at(indices.tolist(), short_side=min(short_side, *video.size))
    return time.process_time() - started


def write_list(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
