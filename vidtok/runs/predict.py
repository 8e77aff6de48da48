"""Label videos by a trained model: a row for each, written as it comes, so that a stopped command goes on."""

import csv
import io
import json
import os
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from vidtok.choices import Backend, Crops, Device, Engine
from vidtok.data.formats.shards import is_shards
from vidtok.errors import ConfigError, DataError
from vidtok.infer.features import weights_digest
from vidtok.infer.predict import Prediction, model_views, predict_videos
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.folders import make_folder
from vidtok.runs.parquet import check_parquet, read_parquet, write_parquet
from vidtok.runs.progress import FileProgress
from vidtok.runs.ray_job import check_ray
from vidtok.runs.ray_work import ray_predictions
from vidtok.runs.video_set import find_videos
from vidtok.text.console import printable, say
from vidtok.train.parallel import start_parallel
from vidtok.types import Failure
from vidtok.video.endings import MEDIA_SUFFIXES, VIDEO_SUFFIXES
from vidtok.video.frames import PICTURE_SUFFIXES
from vidtok.video.source import check_url, is_stored, is_url, url_of

ENDINGS = (".csv", ".jsonl", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What a call did: videos that got their label now, those that had it before, and those that failed."""

    done: int
    before: int
    failed: tuple[Failure, ...]


def run_predict(
    model: str | Path | Classifier,
    sources: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    top: int = 5,
    all_scores: bool = False,
    root: str | Path | None = None,
    clips: int = 1,
    crops: Crops = 1,
    workers: int = 0,
    backend: Backend = "pyav",
    device: Device = "auto",
    allow_plugins: bool = False,
    engine: Engine = "here",
    actors: int | None = None,
    ray_address: str | None = None,
) -> Labelled:
    """Label files, all videos of a folder, or those of lists, with the `top` best classes of each.

    `model`: a run, a checkpoint, a saved folder, an id on the hub, or a model. Rows go to `out`, a .csv, .jsonl or
    .parquet file, each when it is known (Parquet's into a table beside it, until the end): the same call goes on behind
    what is there, and tries those again that had failed. Without `out` they are printed. `all_scores`: of every class,
    not of the best. Raises VidtokError for what cannot be used.

    `engine`=ray: by `actors` of a Ray Data job, on this machine or in the cluster at `ray_address`; rows come in any
    order. See `vidtok.runs.ray_job`.
    """
    check_engine(engine, actors=actors, ray_address=ray_address)
    if top < 1 or clips < 1:
        raise ConfigError(f"--top and --clips count from 1, got {top} and {clips}")
    if out is not None and Path(out).suffix not in ENDINGS:
        raise ConfigError(
            f"--out {out}: predictions are written as .csv, .jsonl or .parquet; give it one of these endings"
        )
    if out is not None and Path(out).suffix == ".parquet":
        check_parquet(out)
    names = list(list_videos(sources, root=root))
    with start_parallel("cpu" if engine == "ray" else device) as parallel:
        loaded = model if isinstance(model, Classifier) else load_model(model, allow_plugins=allow_plugins)
        loaded = loaded.to(parallel.device)
        model_views(loaded, clips=clips, crops=crops)  # what cannot be is told before anything is opened
        count = len(loaded.classes) if all_scores else min(top, len(loaded.classes))
        way = {"weights": weights_digest(loaded), "clips": clips, "crops": crops} if out is not None else {}
        rows = Rows(out, classes=loaded.classes, count=count, all_scores=all_scores, way=way)
        with closing(rows):
            left = [path for path in names if rows.name_of(path) not in rows.known]
            if engine == "ray":
                results = ray_predictions(
                    *(loaded, left),
                    clips=clips,
                    crops=crops,
                    workers=workers,
                    backend=backend,
                    device=device,
                    actors=actors,
                    ray_address=ray_address,
                )
            else:
                results = predict_videos(
                    loaded.for_inference(), left, clips=clips, crops=crops, workers=workers, backend=backend
                )
            failed = write_all(rows, results, total=len(names), before=len(names) - len(left))
    return Labelled(done=len(left) - len(failed), before=len(names) - len(left), failed=tuple(failed))


def check_engine(engine: Engine, *, actors: int | None, ray_address: str | None) -> None:
    """ConfigError for what the engine has not, actors or Ray itself, and for no actor."""
    if engine == "ray":
        check_ray()
        if actors is not None and actors < 1:
            raise ConfigError(f"`actors` counts from 1, got {actors}")
    elif actors is not None or ray_address is not None:
        raise ConfigError(f"`{'actors' if actors is not None else 'ray_address'}` is for `engine`=ray")


def list_videos(sources: Sequence[str | Path], *, root: str | Path | None) -> dict[Path, Path]:
    """Every video once, in the order of the sources, with its name: its place in its folder or below its list's root.

    Sources are files, URLs of videos, members of archives, folders, lists, and webdataset's shards (`is_shards`), for
    which a root means nothing. A picture is a video of one frame where it is named, in a list, or in a folder of
    nothing else; beside videos, where it is more often a cover, it is left out, and that is said. Raises DataError for
    what is not there.
    """
    found: dict[Path, Path] = {}
    for source in map(Path, sources):
        is_media = source.suffix.lower() in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES)
        if is_media and (source.is_file() or is_stored(source)):
            if is_url(source):
                check_url(url_of(source), source="the command")
            found.setdefault(source, Path(source.name))
            continue
        if not source.exists() and not is_shards(source):
            raise DataError(f"{source}: no such file or folder")
        is_folder = source.is_dir()
        own_root = None if is_folder or is_shards(source) else root
        videos = find_videos([source], root=own_root, endings=MEDIA_SUFFIXES)
        for name in _without_pictures(source, videos.names) if is_folder else videos.names:
            is_below = not Path(name).is_absolute() and ".." not in Path(name).parts
            found.setdefault(videos.path(name), Path(name) if is_below else Path(Path(name).name))
    return found


def _without_pictures(folder: Path, names: Sequence[str]) -> Sequence[str]:
    pictures = [name for name in names if Path(name).suffix.lower() in PICTURE_SUFFIXES]
    if not pictures or len(pictures) == len(names):
        return names
    print(
        f"note: {folder}: {len(pictures)} pictures beside videos are left out, such as {printable(pictures[0])}; name "
        "them, or a list of them, to have them looked at",
        file=sys.stderr,
    )
    return [name for name in names if name not in set(pictures)]


def write_all(
    rows: "Rows", results: Generator[Prediction | Failure, None, None], *, total: int, before: int
) -> list[Failure]:
    """Each result into its place as it comes; the failures."""
    failed = []
    shown = rows.path is not None
    with closing(results), FileProgress(total, done=before) as progress:
        for result in results:
            if isinstance(result, Failure):
                failed.append(result)
                progress.say(f"failed: {result.cause}")
            else:
                rows.add(result)
            if shown:
                progress.add(bad=isinstance(result, Failure))
    return failed


class Rows:
    """Where predictions go: a file that is added to, or the console. `known` are the videos that it has already.

    `way`: what rows follow from, the model's weights and its views, kept in a hidden file beside. Raises ConfigError
    for a file of other classes or columns, and for one whose rows were made in another way.
    """

    def __init__(
        self,
        out: str | Path | None,
        *,
        classes: Sequence[str],
        count: int,
        all_scores: bool,
        way: Mapping[str, Any],
    ):
        self.path = None if out is None else Path(out)
        self.classes, self.count = classes, count
        heads = [f"{what}_{place}" for place in range(1, count + 1) for what in ("class", "score")]
        self.columns = ["video", *classes] if all_scores else ["video", *heads]
        self.all_scores = all_scores
        self.known: set[str] = set()
        self._file: TextIO = sys.stdout
        if self.path is None:
            return
        make_folder(self.path.parent)
        self._text = self.path.with_name(f".{self.path.name}.rows.csv") if self._is_parquet else self.path
        kept = []
        if self._text.exists():
            kept = self._read(self._text)
        elif self._is_parquet and self.path.exists():
            kept = self._kept(*read_parquet(self.path))
        self._check_way(way)
        aside = self.path.with_name(f".{self.path.name}.part")
        with open(aside, "w", encoding="utf-8", newline="", errors="surrogateescape") as file:
            self._begin(file)
            file.writelines(kept)  # a row that was cut off when the command was killed is not among them
        os.replace(aside, self._text)
        self._file = open(self._text, "a", encoding="utf-8", newline="", errors="surrogateescape")  # noqa: SIM115

    def add(self, result: Prediction) -> None:
        """Into the file at once."""
        if self.path is None:
            best = "   ".join(f"{name} {score:.3f}" for name, score in result.top(self.count))
            say(f"{self.name_of(result.path)}   {best}")
            return
        self._file.write(self._line(result))
        self._file.flush()

    def close(self) -> None:
        if self.path is None:
            return
        self._file.close()
        if self._is_parquet:
            words = {0} if self.all_scores else {0, *range(1, len(self.columns), 2)}
            kinds = ["string" if place in words else "float32" for place in range(len(self.columns))]
            with open(self._text, encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                next(rows)
                cells = (
                    [cell if kind == "string" else float(cell) for cell, kind in zip(row, kinds, strict=True)]
                    for row in rows
                )
                write_parquet(self.path, list(zip(self.columns, kinds, strict=True)), cells)
            self._text.unlink()

    def _check_way(self, way: Mapping[str, Any]) -> None:
        """Rows that another model wrote, if only before it learned from more videos, are none of this one's."""
        assert self.path is not None
        kept = self.path.with_name(f".{self.path.name}.way")
        told = kept.read_text(encoding="utf-8") if kept.is_file() else None
        text = json.dumps(way, sort_keys=True)
        if self.known and told != text:
            why = "it is not known by what model" if told is None else "by another model, or with other clips or crops"
            raise ConfigError(
                f"{self.path}: has labels of {len(self.known)} videos already, {why}; name another file, or remove it"
            )
        kept.write_text(text, encoding="utf-8")

    def name_of(self, path: Path) -> str:
        """How a video is called in the file; Parquet's text holds no names that are not UTF-8."""
        name = url_of(path) if is_url(path) else str(path)
        return printable(name) if self._is_parquet else name

    def _begin(self, file: TextIO) -> None:
        if self._is_csv:
            csv.writer(file, lineterminator="\n").writerow(self.columns)

    @property
    def _is_csv(self) -> bool:
        return self.path is not None and self.path.suffix != ".jsonl"

    @property
    def _is_parquet(self) -> bool:
        return self.path is not None and self.path.suffix == ".parquet"

    def _line(self, result: Prediction) -> str:
        if not self._is_csv:
            best = [{"class": name, "score": round(score, 6)} for name, score in result.top(self.count)]
            return json.dumps({"video": self.name_of(result.path), "predictions": best}, ensure_ascii=False) + "\n"
        if self.all_scores:
            cells: list[str] = [f"{score:.6f}" for score in result.scores.tolist()]
        else:
            best = result.top(self.count)
            cells = [cell for name, score in best for cell in (name, f"{score:.6f}")]
        return _csv_line([self.name_of(result.path), *cells])

    def _read(self, path: Path) -> list[str]:
        """The whole rows that are there, as they will be written again."""
        with open(path, encoding="utf-8", newline="", errors="surrogateescape") as file:
            if not self._is_csv:
                return self._read_json(path, file.read())
            text = file.read()
        whole = text[: text.rfind("\n") + 1]  # what stands behind the last line break was cut off
        found = list(csv.reader(io.StringIO(whole, newline="")))
        return self._kept(found[0], found[1:]) if found else []

    def _kept(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
        """These rows as lines, those aside that were cut off."""
        if list(columns) != self.columns:
            path = self.path
            raise ConfigError(
                f"{path}: has other columns than these predictions, {', '.join(self.columns[:4])} …; "
                "name another file, or remove it"
            )
        whole = [row for row in rows if len(row) == len(self.columns) and row[-1] != ""]
        self.known = {row[0] for row in whole}
        return [_csv_line([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row]) for row in whole]

    def _read_json(self, path: Path, text: str) -> list[str]:
        kept = []
        lines = text.split("\n")
        for number, line in enumerate(lines[:-1], start=1):  # what stands behind the last line break was cut off
            try:
                row: Mapping[str, Any] = json.loads(line)
                video, best = row["video"], row["predictions"]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}:{number}: not a prediction; name another file, or remove it") from error
            if len(best) != self.count or not {each["class"] for each in best} <= set(self.classes):
                raise ConfigError(
                    f"{path}:{number}: a prediction of another model or of another --top; name another file"
                )
            self.known.add(video)
            kept.append(line + "\n")
        return kept


def _csv_line(cells: Sequence[str]) -> str:
    class Line(list[str]):
        write = list.append

    line = Line()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line[0]
