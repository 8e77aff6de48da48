"""report.html: what a test or a fit found, as one page that needs nothing else, from the files that these left."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidtok.data.dataset import clock_seconds, open_record, part
from vidtok.errors import DataError, ModelError, VidtokError
from vidtok.metrics import confusion, taken_for
from vidtok.runs.figures import FIGURE_WORDS
from vidtok.runs.looks import Look
from vidtok.runs.results import figure_words
from vidtok.text.arrays import read_arrays
from vidtok.train.log import read_log
from vidtok.types import Record
from vidtok.viz.charts import Bar, Line, bars, clean, line_chart, matrix, reliability_chart
from vidtok.viz.embedded import Embedded, embedded
from vidtok.viz.page import PageSection, clip, page, table

REPORT = "report.html"
SHOWN_CLASSES = 40
"""Classes up to which the confusion is a matrix; of more the most frequent pairs are listed."""
SHOWN_MISTAKES = 12
THUMBNAIL_FRAMES, THUMBNAIL_SIDE, THUMBNAIL_FPS = 24, 112, 8.0
SHOWN_FAILURES = 20


def run_report(run: str | Path) -> Path:
    """Write report.html anew from the results of a run, of its test/ folder, or of a fit; its path.

    The videos of the mistakes are read again where they still are. Raises DataError where there are no results.
    """
    folder = find_results(run)
    return write_report(folder)


def find_results(run: str | Path) -> Path:
    """The folder that holds a run's results: itself, or test/ in it. DataError, naming the file that is missing."""
    path = Path(run)
    for folder in (path, path / "test"):
        if (folder / "predictions.npz").is_file() and results_file(folder) is not None:
            return folder
    raise DataError(
        f"{path}: no results: neither there nor in test/ are predictions.npz and results.json (or fit.json), as "
        "vidtok test and vidtok fit write them; test it again with this version"
    )


def results_file(folder: Path) -> Path | None:
    """Of a test, or of a fit."""
    return next((file for name in ("results.json", "fit.json") if (file := folder / name).is_file()), None)


def read_results(folder: Path) -> dict[str, Any]:
    """What stands there; DataError for a file that is cut off, or was written before there was all that is needed."""
    file = results_file(folder)
    assert file is not None
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(results, dict) or "detail" not in results:
            raise ValueError("it has no 'detail'")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not the results of this version: {error}; test it again") from error
    return results


def write_report(folder: Path, *, look: Look | None = None) -> Path:
    """The page beside the results in `folder`; `look` shows where the network looks, in the surest mistakes.

    A video that cannot be read any more is named in its place.
    """
    results = read_results(folder)
    detail = results["detail"]
    arrays = read_arrays(folder / "predictions.npz")
    scores, labels = torch.from_numpy(arrays["scores"]), torch.from_numpy(arrays["labels"])
    classes = arrays["classes"].tolist()
    is_fit = (folder / "fit.json").is_file()
    run = folder if is_fit or (folder / "log.jsonl").is_file() else folder.resolve().parent
    mistakes = results.get("mistakes", [])[:SHOWN_MISTAKES]
    sections = [
        PageSection(title="Figures", note=_interval_words(detail), body=_figures(results)),
        *_curves(run),
        *_by_class(detail, scores, labels, classes),
        PageSection(
            title="Confidence",
            note=f"Expected calibration error {_number(detail['calibration_error'])}: the mean distance of the dots "
            "from the diagonal, by their number of answers, which their area shows. Upwards the share that is right: "
            "below the diagonal the model is too sure.",
            body='<div class="square">'
            + reliability_chart([(b["confidence"], b["accuracy"], b["n"]) for b in detail["reliability"]])
            + "</div>",
        ),
        *_mistakes(mistakes),
        *_attention(mistakes, look),
        *_failures(folder),
    ]
    title = run.resolve().name if run == folder else f"{run.name}, {folder.resolve().name}"
    text = page(title, sections, lead=[results["line"]])
    path = folder / REPORT
    path.write_text(text, encoding="utf-8")
    return path


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _interval_words(detail: Mapping[str, Any]) -> str:
    own = detail["intervals"]
    unit = "videos" if own["drawn"] == own["videos"] else "groups of videos"
    return (
        f"With the interval that holds the true value in {own['confidence']:.0%} of all cases, from {own['draws']} "
        f"draws of {own['drawn']} {unit} with repetition."
    )


def _figures(results: Mapping[str, Any]) -> str:
    rows: list[list[str]] = []
    for name, each in results["detail"]["figures"].items():
        around = "" if each["low"] is None else f"{each['low']:.3f} … {each['high']:.3f}"
        rows.append([FIGURE_WORDS.get(name) or name, _number(each["value"]), around])
    views = [
        [title, figure_words({key: value for key, value in results[name].items() if key in FIGURE_WORDS})]
        for title, name in (("one view", "single_view"), ("clips, centre crop", "clips_only"), ("all views", "figures"))
        if name in results
    ]
    protocol = results.get("protocol") or {}
    told = [[key, json.dumps(value) if isinstance(value, list) else value] for key, value in protocol.items()]
    body = table(["figure", "value", "interval"], rows)
    body += table(["views", "from the same pass"], views) if views else ""
    return body + (f"<details><summary>protocol</summary>{table(['key', 'value'], told)}</details>" if told else "")


def _curves(run: Path) -> list[PageSection]:
    """Loss, validation and learning rate of a training run; nothing where there is no log."""
    if not (run / "log.jsonl").is_file():
        return []
    steps, checks = read_log(run, "train"), read_log(run, "val")
    named = [(steps, "loss", False), (steps, "lr", False)]
    named[1:1] = [
        (checks, name, True) for name in (checks[0] if checks else ()) if name not in ("event", "time", "step")
    ]
    titles = {"loss": "training loss", "lr": "learning rate"}
    charts = []
    for events, name, unit in named:
        line = Line(
            name=titles.get(name, f"validation {name}"),
            steps=[event["step"] for event in events],
            values=[event.get(name) for event in events],
        )
        if drawn := line_chart(line, unit=unit):
            charts.append(f"<div><h3>{clean(line.name)}</h3>{drawn}</div>")
    return [PageSection(title="Training", body=f'<div class="charts">{"".join(charts)}</div>')] if charts else []


def _by_class(detail: Mapping[str, Any], scores: Tensor, labels: Tensor, classes: Sequence[str]) -> list[PageSection]:
    """The worst classes first, and what was taken for what."""
    single = bool(len(labels)) and bool((labels.sum(1) == 1).all())
    figure = "accuracy" if single else "average_precision"
    known = sorted(
        (each for each in detail["classes"] if each["videos"]),
        key=lambda each: (-1.0 if each[figure] is None else each[figure], each["class"]),
    )
    rows = [Bar(name=each["class"], value=each[figure], note=_class_note(each)) for each in known]
    left_out = len(classes) - len(known)
    note = f"{figure.replace('_', ' ').capitalize()}, the lowest first."
    note += f" {left_out} classes have no video." if left_out else ""
    sections = [PageSection(title="Classes", note=note, body=bars(rows))]
    if not single:
        return sections
    if len(classes) <= SHOWN_CLASSES:
        own = [tuple(row.nonzero()[:, 0].tolist()) for row in labels]
        counts = confusion(taken_for(scores, own), labels.int().argmax(1), classes=len(classes))
        note = "Rows: the true class; columns: what it was taken for."
        return [*sections, PageSection(title="Confusion", note=note, body=matrix(counts, classes))]
    pairs = [[f"{each['class']} → {each['taken_for']}", each["videos"]] for each in detail["confusions"]]
    return [*sections, PageSection(title="Confusion", body=table(["true class → taken for", "videos"], pairs))]


def _class_note(row: Mapping[str, Any]) -> str:
    """How many videos it has, and the interval of its average precision."""
    low, high = (row.get(f"average_precision_{end}") for end in ("low", "high"))
    return f"{row['videos']} videos" + ("" if low is None or high is None else f", {low:.2f} … {high:.2f}")


def record_of(row: Mapping[str, Any]) -> Record:
    """The record that a mistake in results.json is about."""
    return Record(
        path=Path(row["path"]),
        labels=(),
        video_id=row["video"],
        start_seconds=row.get("start_seconds"),
        end_seconds=row.get("end_seconds"),
        fps=row.get("fps"),
    )


def thumbnail(record: Record) -> Embedded:
    """The record's video in small, evenly over all of it. VidtokError or OSError where it cannot be read."""
    with open_record(record, backend="pyav") as reader:
        first, stop = part(record, clock_seconds(reader))
        count = min(THUMBNAIL_FRAMES, stop - first)
        indices = torch.linspace(first, stop - 1, count).round().long().tolist()
        frames = reader.frames_at(indices, short_side=THUMBNAIL_SIDE)
    return embedded(frames.pixels, fps=THUMBNAIL_FPS)


def _caption(row: Mapping[str, Any]) -> str:
    shown = ", ".join(row["labels"]) or "no label"
    name = Path(row["video"]).name or row["video"]
    return (
        f'<b>{clean(shown)}</b><br>taken for <span class="as">{clean(row["taken_for"])}</span> {row["score"]:.2f}'
        f'<br><small title="{clean(row["path"])}">{clean(name)}</small>'
    )


def _mistakes(rows: Sequence[Mapping[str, Any]]) -> list[PageSection]:
    """The surest mistakes as videos."""
    if not rows:
        return []
    cards = []
    for row in rows:
        try:
            seen = thumbnail(record_of(row))
        except (VidtokError, OSError, ValueError) as error:
            cards.append(f"<figure><figcaption>{_caption(row)}<br>{clean(error)}</figcaption></figure>")
        else:
            cards.append(clip(seen.video, seen.poster, _caption(row)))
    note = "The surest mistakes first. They play while pointed at, or when tapped."
    return [PageSection(title="Mistakes", note=note, body=f'<div class="clips">{"".join(cards)}</div>')]


def _attention(rows: Sequence[Mapping[str, Any]], look: Look | None) -> list[PageSection]:
    """Where the network looks in some of these; nothing for a network that cannot say."""
    cards: list[str] = []
    if look is None:
        return []
    for row in rows:
        try:
            pictures, fps, notes = look(record_of(row))
            seen = embedded(pictures, fps=fps, crf=26)
        except ModelError:
            return []
        except (VidtokError, OSError, ValueError):
            continue  # named among the mistakes where it cannot be read
        told = "".join(f"<br>{clean(note)}" for note in notes)
        cards.append(clip(seen.video, seen.poster, _caption(row) + told))
        if len(cards) == 2:
            break
    return [PageSection(title="Where it looks", body=f'<div class="maps">{"".join(cards)}</div>')] if cards else []


def _failures(folder: Path) -> list[PageSection]:
    """The videos that could not be decoded."""
    file = folder / "failed.csv"
    if not file.is_file():
        return []
    rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))[1:]
    note = f"{len(rows)} videos, which count as wrong; all of them are in {file.name}."
    return [PageSection(title="Could not be decoded", note=note, body=table(["path", "cause"], rows[:SHOWN_FAILURES]))]
