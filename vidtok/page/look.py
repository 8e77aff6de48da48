"""What the worker does with a video: what it is, its classes, its timeline, its attention video."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from vidtok.choices import Device
from vidtok.data.dataset import clock_seconds
from vidtok.data.formats.folder import find_media
from vidtok.data.views import TestViews
from vidtok.errors import DataError, DecodeError, ModelError
from vidtok.infer.film import Film, Question, make_film, notes_of
from vidtok.infer.predict import VideoClassifier, model_views, predict_videos
from vidtok.infer.timeline import score_windows, window_length
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.film_files import Row, write_film
from vidtok.runs.timeline import segments_of
from vidtok.text.console import printable
from vidtok.train.parallel import start_parallel
from vidtok.types import Failure
from vidtok.video.endings import VIDEO_SUFFIXES
from vidtok.video.protocols import duration_seconds
from vidtok.video.reader import VideoReader, open_video
from vidtok.video.write import write_video

Tell = Callable[[str, Any], None]
CONTAINERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "h264", "hevc", "flv", "live_flv"),
    *("gif", "ogg", "asf", "mxf", "rm", "dv", "ivf", "yuv4mpegpipe", "mjpeg"),
)
"""FFmpeg's names of forms that hold a video themselves. Playlists and their kin name other files, which it opens."""
TOP = 5
PREVIEW_SECONDS, PREVIEW_SIDE = 20.0, 240


@dataclass(kw_only=True)
class Loaded:
    """A model as it is, and in the form that only predicts."""

    model: VideoClassifier
    quick: Classifier


class Looker:
    """Does tasks by their word `do`; models stay once they have been loaded."""

    def __init__(self, *, device: Device = "auto", allow_plugins: bool = False):
        self._device: Device = device
        self._allow_plugins = allow_plugins
        self._models: dict[tuple[str, int], Loaded] = {}

    def do(self, task: Mapping[str, Any], *, tell: Tell) -> None:
        """`tell` hears stages and parts of the result. Raises VidtokError for what cannot be done."""
        ways = {"open": self._open, "find": self._find, "look": self._look, "preview": self._preview}
        ways[task["do"]](task, tell)

    def _open(self, task: Mapping[str, Any], tell: Tell) -> None:
        loaded = self._loaded(task["model"])
        model_views(loaded.model)  # a model that does not know how it is fed is told now
        tell("part", {"classes": [printable(name) for name in loaded.model.classes]})

    def _find(self, task: Mapping[str, Any], tell: Tell) -> None:
        folder = Path(task["folder"])
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
        found = find_media(folder, endings=VIDEO_SUFFIXES).media
        if not found:
            raise DataError(f"{folder}: no videos in it (known endings: {' '.join(VIDEO_SUFFIXES)})")
        tell("part", {"names": found})

    def _look(self, task: Mapping[str, Any], tell: Tell) -> None:
        video = Path(task["video"])
        tell("stage", ("reading the video", None))
        check_container(video)
        seconds = self._facts(video, task["video_seconds"], tell)
        loaded = self._loaded(task["model"])
        tell("stage", ("looking for the class", None))
        (found,) = predict_videos(loaded.quick, [video])
        if isinstance(found, Failure):
            raise DecodeError(found.cause)
        top = [{"class": printable(name), "score": round(score, 6)} for name, score in found.top(task.get("top", TOP))]
        tell("part", {"top": top})
        if task.get("timeline", True):
            self._timeline(loaded, video, tell)
        if task.get("film"):
            self._film(loaded, task, tell, whole=seconds <= task["film_seconds"])

    def _facts(self, video: Path, most: float, tell: Tell) -> float:
        with open_video(video) as reader:
            seconds, (rows, columns) = duration_seconds(reader.pts_seconds), reader.size
            if seconds > most:
                raise DataError(f"{video}: {seconds:.1f} s long; {most:g} s are the most that is taken")
            facts = {"seconds": round(seconds, 3), "frames": len(reader), "size": [columns, rows]}
        tell("part", {"video": facts})
        return seconds

    def _timeline(self, loaded: Loaded, video: Path, tell: Tell) -> None:
        tell("stage", ("going through the video", 0.0))
        try:
            found = score_windows(
                loaded.quick, video, said=lambda share: tell("stage", ("going through the video", share))
            )
        except (DecodeError, ModelError) as error:  # the class is there already
            tell("part", {"no_timeline": str(error).replace(str(video), "the video")})
            return
        classes = loaded.model.classes
        rows = [
            {
                "start": round(each.start_seconds, 3),
                "end": round(each.end_seconds, 3),
                "class": printable(classes[each.label]),
                "score": round(each.score, 6),
            }
            for each in segments_of(found, loaded.model)
        ]
        tell("part", {"timeline": {"begin": found.begin_seconds, "end": found.end_seconds, "segments": rows}})

    def _film(self, loaded: Loaded, task: Mapping[str, Any], tell: Tell, *, whole: bool) -> None:
        video, out = Path(task["video"]), Path(task["film"])
        looking, drawing = "asking where the model looks", "drawing where the model looks"
        tell("stage", (looking, 0.0))
        model, views = loaded.model, model_views(loaded.model)
        try:
            window = window_length(model, None) if whole else None
        except ModelError:  # nobody knows how long its windows are
            whole, window = False, None
        try:
            with open_video(video) as reader:
                film = first_film(
                    model,
                    reader,
                    views,
                    whole=whole,
                    window_seconds=window,
                    said=lambda share: tell("stage", (looking, share)),
                )
                seconds = clock_seconds(reader).numpy()[film.drawn]
            with open_video(video) as reader:
                write_film(
                    out,
                    [Row(film=film)],
                    reader,
                    views,
                    heading=task["title"],
                    said=lambda share: tell("stage", (drawing, share)),
                )
        except (DecodeError, ModelError) as error:
            tell("part", {"no_film": str(error).replace(str(video), "the video")})
            return
        shown = {"fps": film.fps, "seconds": np.round(seconds, 3).tolist(), "whole": whole}
        tell("part", {"film": {**shown, "notes": [printable(note) for note in notes_of(film.panels)]}})

    def _preview(self, task: Mapping[str, Any], tell: Tell) -> None:
        """The beginning of a video in a form that browsers play."""
        tell("stage", ("making it playable", None))
        with open_video(task["video"]) as reader:
            count = min(len(reader), max(1, int(reader.fps * PREVIEW_SECONDS)))
            side = min(PREVIEW_SIDE, *reader.size)
            pictures = (picture for _, picture in reader.each_at(range(count), short_side=side))
            write_video(task["film"], pictures, fps=reader.fps, crf=24, preset="veryfast")

    def _loaded(self, source: str) -> Loaded:
        """From the disk when it is asked for first, and when its files are newer than what was loaded."""
        key = (source, stamp(Path(source)))
        if key not in self._models:
            self._models = {other: kept for other, kept in self._models.items() if other[0] != source}
            with start_parallel(self._device) as parallel:
                model = load_model(source, allow_plugins=self._allow_plugins).to(parallel.device)
            self._models[key] = Loaded(model=model, quick=model.for_inference())
        return self._models[key]


def first_film(
    model: VideoClassifier,
    reader: VideoReader,
    views: TestViews,
    *,
    whole: bool,
    window_seconds: float | None,
    said: Callable[[float], None] = lambda share: None,
) -> Film:
    """Attention, and beside it what speaks for the class, of networks that have both."""
    assert model.feeding is not None
    kind = model.feeding.scores
    for kinds in (("attention", "gradient"), ("attention",)):
        question = Question(kinds=kinds)
        with contextlib.suppress(ModelError) if len(kinds) > 1 else contextlib.nullcontext():
            return make_film(
                model, reader, views, question, kind=kind, whole=whole, window_seconds=window_seconds, said=said
            )
    raise AssertionError("the last one has returned or raised")


def stamp(source: Path) -> int:
    """When the newest of a model's files was written; a model on the hub has none."""
    files = [source, *source.glob("*"), *source.glob("model/*"), *source.glob("checkpoints/*")]
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


def check_container(video: Path) -> None:
    """DecodeError for a file that is no video by itself: FFmpeg would follow a playlist to whatever it names."""
    try:
        av.open(str(video.absolute()), options={"format_whitelist": ",".join(CONTAINERS)}).close()
    except (FFmpegError, OSError, ValueError) as error:
        raise DecodeError(
            f"{video}: is no video that can be read (mp4, mov, mkv, webm, avi, mpg, ts, gif and their kin can)"
        ) from error
