"""What happens when in long videos: segments of each as a table, as JSON and as a picture."""

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidtok.choices import Backend, Device
from vidtok.errors import ConfigError, DataError, DecodeError
from vidtok.infer.predict import model_views
from vidtok.infer.segments import Segment, find_segments, make_cells
from vidtok.infer.timeline import WindowScores, score_windows, window_length
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.folders import make_folder
from vidtok.runs.predict import Labelled, list_videos
from vidtok.runs.progress import FileProgress
from vidtok.text.console import say
from vidtok.train.parallel import start_parallel
from vidtok.types import Failure
from vidtok.viz.timeline import TimelineBar, draw_timeline

COLUMNS: Sequence[str] = ("start_seconds", "end_seconds", "class", "score")


def run_timeline(
    model: str | Path | Classifier,
    sources: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    window_seconds: float | None = None,
    step_seconds: float | None = None,
    smooth_seconds: float = 0.0,
    min_seconds: float | None = None,
    cuts: bool = False,
    all_scores: bool = False,
    root: str | Path | None = None,
    backend: Backend = "pyav",
    device: Device = "auto",
    allow_plugins: bool = False,
) -> Labelled:
    """Say which class each part of a video shows, for files, all videos of a folder, or those of lists.

    A window slides over each video: `window_seconds`, by default the clip's own length, or that of the videos that the
    model was fitted on; `step_seconds`, by default a quarter of it. Segments last at least `min_seconds`, by default
    half of a window. `cuts`: look for hard cuts, which no window's scores cross. `all_scores`: those of every window
    go into the JSON file.

    Into the folder `out` go, for each video, NAME.csv, NAME.png and NAME.json, the last when it is done: the same call
    goes on behind what is there, and tries those again that had failed. Without `out` segments are printed. Raises
    VidtokError for what cannot be used.
    """
    for name, value in (("--window", window_seconds), ("--step", step_seconds)):
        if value is not None and not value > 0:
            raise ConfigError(f"{name} is a time above 0 s, got {value:g}")
    for name, value in (("--smooth", smooth_seconds), ("--min-length", min_seconds)):
        if value is not None and not value >= 0:
            raise ConfigError(f"{name} is a time from 0 s on, got {value:g}")
    videos = list_videos(sources, root=root)
    folder = None if out is None else make_folder(out)
    places = {} if folder is None else places_of(videos, folder)
    failed, done, before = [], 0, 0
    with start_parallel(device) as parallel:
        loaded = model if isinstance(model, Classifier) else load_model(model, allow_plugins=allow_plugins)
        loaded = loaded.to(parallel.device)
        model_views(loaded)  # what cannot be is told before anything is opened
        window_length(loaded, window_seconds)
        loaded = loaded.for_inference()
        asked = {
            "classes": list(loaded.classes),
            "window": window_seconds,
            "step": step_seconds,
            "smooth": smooth_seconds,
            "min_length": min_seconds,
            "cuts": cuts,
            "all_scores": all_scores,
        }
        with FileProgress(len(videos)) as progress:
            for index, video in enumerate(videos):
                place = places.get(video)
                if place is not None and is_done(place, asked, video=video):
                    before += 1
                    progress.add(bad=False)
                    continue
                try:
                    found = score_windows(
                        loaded,
                        video,
                        window_seconds=window_seconds,
                        step_seconds=step_seconds,
                        find_cuts=cuts,
                        backend=backend,
                        said=progress.part if place is not None else silent,
                    )
                except DecodeError as error:
                    failed.append(Failure(index=index, path=video, cause=str(error), key=str(video)))
                    progress.say(f"failed: {error}")
                    progress.add(bad=True)
                    continue
                least = default_least(found) if min_seconds is None else min_seconds
                segments = segments_of(found, loaded, smooth_seconds=smooth_seconds, min_seconds=least)
                if place is None:
                    for each in segments:
                        progress.say(f"{video}   {segment_words(each, loaded.classes)}")
                else:
                    more = {"asked": asked, "min_seconds": least}
                    write_timeline(place, found, segments, loaded.classes, video=video, more=more)
                done += 1
                if place is not None:
                    progress.add(bad=False)
    return Labelled(done=done, before=before, failed=tuple(failed))


def silent(share: float) -> None:
    """Where results themselves are printed."""


def segments_of(
    found: WindowScores, model: Classifier, *, smooth_seconds: float = 0.0, min_seconds: float | None = None
) -> list[Segment]:
    """The segments of a video whose windows have been scored; `min_seconds` is by default half of a window."""
    assert model.feeding is not None
    windows = found.windows
    cells = make_cells(
        windows.start_seconds,
        windows.end_seconds,
        found.scores,
        begin=found.begin_seconds,
        end=found.end_seconds,
        cuts=found.cuts,
    )
    return find_segments(
        cells,
        kind=model.feeding.scores,
        step_seconds=windows.step_seconds,
        smooth_seconds=smooth_seconds,
        min_seconds=default_least(found) if min_seconds is None else min_seconds,
    )


def default_least(found: WindowScores) -> float:
    """Half of a window: what is shorter is never most of what the model sees."""
    return float(np.median(found.windows.end_seconds - found.windows.start_seconds)) / 2


def places_of(videos: Mapping[Path, Path], folder: Path) -> dict[Path, Path]:
    """Where the files of each video go, without an ending. DataError where two would go to the same place."""
    places: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for video, name in videos.items():
        place = folder / name
        if place in taken:
            raise DataError(
                f"{video} and {taken[place]} would both be written to {place}.json: label them into different folders"
            )
        taken[place] = places[video] = place
    return places


def is_done(place: Path, asked: Mapping[str, Any], *, video: Path) -> bool:
    """Whether this video's timeline is there. ConfigError for one that was made otherwise, or is none."""
    file = ended(place, "json")
    if not file.exists():
        return False
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        old, of = told["asked"], told["video"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: not a timeline; name another folder, or remove it") from error
    if of != str(video):
        raise ConfigError(f"{file}: is the timeline of {of}, not of {video}; name another folder")
    if old != asked:
        other = [name for name, value in asked.items() if old.get(name) != value]
        raise ConfigError(f"{file}: was made with other settings ({', '.join(other)}); name another folder")
    return True


def write_timeline(
    place: Path,
    found: WindowScores,
    segments: Sequence[Segment],
    classes: Sequence[str],
    *,
    video: Path,
    more: Mapping[str, Any],
) -> None:
    """NAME.csv, NAME.png and, when both are there, NAME.json; each whole or not at all."""
    make_folder(place.parent)
    rows = [
        {
            "start_seconds": round(each.start_seconds, 3),
            "end_seconds": round(each.end_seconds, 3),
            "class": classes[each.label],
            "score": round(each.score, 6),
        }
        for each in segments
    ]
    windows = found.windows
    content = {
        "video": str(video),
        "begin_seconds": found.begin_seconds,
        "end_seconds": found.end_seconds,
        "window_seconds": float(np.median(windows.end_seconds - windows.start_seconds)),
        "step_seconds": windows.step_seconds,
        "min_seconds": more["min_seconds"],
        "cuts": list(found.cuts) if more["asked"]["cuts"] else None,
        "segments": rows,
        "asked": more["asked"],
    }
    if more["asked"]["all_scores"]:
        content["windows"] = [
            {"start_seconds": start, "end_seconds": end, "scores": scores}
            for start, end, scores in zip(
                windows.start_seconds.tolist(),
                windows.end_seconds.tolist(),
                found.scores.astype(np.float64).round(6).tolist(),
                strict=True,
            )
        ]

    def table(path: Path) -> None:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def picture(path: Path) -> None:
        bars = [
            TimelineBar(
                start_seconds=each.start_seconds, end_seconds=each.end_seconds, label=each.label, score=each.score
            )
            for each in segments
        ]
        ends = (found.begin_seconds, found.end_seconds)
        scores = (windows.centre_seconds, found.scores)
        draw_timeline(bars, path, classes=classes, ends=ends, scores=scores, cuts=found.cuts, title=video.name)

    def told(path: Path) -> None:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")

    for ending, write in (("csv", table), ("png", picture), ("json", told)):
        whole_or_not(ended(place, ending), write)


def whole_or_not(path: Path, write: Callable[[Path], None]) -> None:
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def ended(place: Path, ending: str) -> Path:
    """The video's own ending stays in the name: a.mp4 and a.avi are two videos."""
    return place.with_name(f"{place.name}.{ending}")


def segment_words(segment: Segment, classes: Sequence[str]) -> str:
    return f"{segment.start_seconds:.2f} - {segment.end_seconds:.2f} s   {classes[segment.label]} {segment.score:.3f}"


def say_summary(out: str | Path, labelled: Labelled) -> None:
    """The last line."""
    say(f"{out}: {labelled.done} timelines, {labelled.before} before, {len(labelled.failed)} failed")
