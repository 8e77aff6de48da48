"""What a model says of a video while it runs: a file, a camera or a stream, step by step, with how far it is behind."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vidtok.choices import Device
from vidtok.data.views import TestViews
from vidtok.errors import ConfigError, DecodeError
from vidtok.infer.predict import model_views
from vidtok.infer.stream import StreamingClassifier
from vidtok.infer.timeline import window_length
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.folders import make_folder
from vidtok.runs.stream_lines import Label, Lines, state_words
from vidtok.runs.visualize import writable
from vidtok.text.console import say
from vidtok.train.parallel import start_parallel
from vidtok.train.signals import stop_requests
from vidtok.types import View
from vidtok.video.live import Shown, Source
from vidtok.video.pace import Picker, pace_of
from vidtok.video.write import write_timed_video
from vidtok.viz.running_label import LEAST_SIDE, RunningLabel
from vidtok.viz.timeline import shown_time

DRAWN = 3
"""Classes below the picture."""
WAIT_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """What a call did."""

    seconds: float
    """Of video that were seen."""
    steps: int
    """Time steps that went through the network."""
    scored: int
    """Windows that were given scores."""
    dropped: int
    """Time steps that nobody looked at, because they came faster than they could be computed."""
    lag_seconds: float | None
    """How far the last scores were behind, of what does not wait; None of a file at its own speed."""
    took_seconds: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """A frame that goes to the model, cut for it, and when it is shown."""

    pixels: UInt8[Tensor, "1 c y x"]
    seconds: float


def run_stream(
    model: str | Path | Classifier,
    source: str | Path,
    *,
    out: str | Path | None = None,
    jsonl: str | Path | None = None,
    realtime: bool = False,
    whole_windows: bool = False,
    window_seconds: float | None = None,
    seconds: float | None = None,
    top: int = 5,
    timeout_seconds: float = 10.0,
    device: Device = "auto",
    allow_plugins: bool = False,
) -> Streamed:
    """Say which class a file, a camera (`/dev/video0`) or a stream (`rtsp://…`) shows, time step by time step.

    `model`: a run, a checkpoint, a saved folder, an id on the hub, or a model; its own clip rule picks and cuts the
    frames. A file is gone through as fast as it can be, and every window gets its scores; a live source, and a file
    `realtime`, does not wait: what comes faster than it can be computed is dropped and counted, and the scores are
    always those of a whole window without a gap. `out`: an .mp4 file of the video with its running label; `jsonl`: a
    file of a line for each window, `-` for the console. `window_seconds`: of a model whose clips are taken from the
    whole of a video. `seconds`: stop after so much of the video. `whole_windows`: also a model that has to compute each
    window anew. Ctrl-C ends it with the files whole. Raises VidtokError for what cannot be used, also for a source that
    breaks off, when what came before it has been written.
    """
    if top < 1:
        raise ConfigError(f"--top counts from 1, got {top}")
    for name, value in (("--window", window_seconds), ("--seconds", seconds), ("--timeout", timeout_seconds)):
        if value is not None and not value > 0:
            raise ConfigError(f"{name} is a time above 0 s, got {value:g}")
    target = None if out is None else writable(out)
    with ExitStack() as stack:
        parallel = stack.enter_context(start_parallel(device))
        loaded = model if isinstance(model, Classifier) else load_model(model, allow_plugins=allow_plugins)
        loaded = loaded.to(parallel.device)
        views = model_views(loaded)
        stream = StreamingClassifier(loaded, whole_windows=whole_windows)
        length = window_length(loaded, window_seconds)
        if not stream.apart:
            say(f"computing every window anew: {loaded.network.why_whole()}")
        opened = stack.enter_context(Source(source, timeout_seconds=timeout_seconds))
        pace = pace_of(views.clip, source_fps=opened.fps, window_seconds=length)
        lines = stack.enter_context(Lines(jsonl, top=top, shown=jsonl != "-"))
        stop = stack.enter_context(stop_requests())
        running = Running(
            stream=stream,
            views=views,
            source=opened,
            picker=Picker(pace),
            until=seconds,
            waits=not (opened.is_live or realtime),
            realtime=realtime and not opened.is_live,
            stop=stop,
            said=lines.say,
            draws=target is not None,
        )
        if target is not None:
            make_folder(target.parent)
        done = running.run(target)
    if running.broken is not None and not done.seconds:
        raise running.broken
    what = f"{opened.name}: {done.seconds:.1f} s of video, {done.scored} windows"
    if done.lag_seconds is None:
        what += f", {done.seconds / max(done.took_seconds, 1e-9):.2g} times as fast as it is shown"
    else:
        what += f", {done.lag_seconds:.2f} s behind at the end, "
        what += f"{done.dropped} of {done.dropped + done.steps} time steps dropped"
    print(what, file=sys.stderr if jsonl == "-" else sys.stdout, flush=True)
    if not done.scored:
        need = stream.frames * pace.apart_seconds
        print(f"{opened.name}: no scores: a window of this model is {need:.1f} s long", file=sys.stderr, flush=True)
    if running.broken is not None:
        raise running.broken
    return done


class Running:
    """A source under way: what it shows goes to the model, the model's label to who asks.

    Where the source waits, all is done in turn. Where it does not, a thread reads, and draws, and the network works on
    what has come since it looked last: at most the newest window, so that what it says is never of a window with gaps.
    """

    def __init__(
        self,
        *,
        stream: StreamingClassifier,
        views: TestViews,
        source: Source,
        picker: Picker,
        until: float | None,
        waits: bool,
        realtime: bool,
        stop: Callable[[], bool],
        said: Callable[["Label", int], None],
        draws: bool,
    ):
        self.stream, self.views, self.source, self.picker = stream, views, source, picker
        self.until, self.waits, self.realtime, self.stop = until, waits, realtime, stop
        self.said, self.draws = said, draws
        self.broken: DecodeError | None = None
        self._label: Label | None = None
        self._queue: deque[Step] = deque(maxlen=None if waits else stream.frames)
        self._lock = threading.Condition()
        self._over = self._gap = self._left = False
        self._seconds = 0.0
        self._frames = self._scored = self._dropped_frames = 0
        self._offset: float | None = None
        self._band = RunningLabel(lines=min(DRAWN, len(stream.model.classes)))

    def run(self, target: Path | None) -> Streamed:
        """To the source's end, or to a request to stop."""
        began = monotonic()
        if self.waits:
            self._write(target)
        else:
            failed: list[BaseException] = []

            def read() -> None:
                try:
                    self._write(target)
                except BaseException as error:  # handed on to who waits for this thread
                    failed.append(error)
                finally:
                    with self._lock:
                        self._over = True
                        self._lock.notify()

            reader = threading.Thread(target=read, name="reader of the stream", daemon=True)
            reader.start()
            try:
                while self._compute_newest():
                    pass
            finally:
                self._left = True
                reader.join()
            if failed:
                raise failed[0]
        lag = None if self.waits or self._label is None else self._label.lag_seconds
        return Streamed(
            seconds=self._seconds,
            steps=self._frames // self.stream.step_frames,
            scored=self._scored,
            dropped=self._dropped_frames // self.stream.step_frames,
            lag_seconds=lag,
            took_seconds=monotonic() - began,
        )

    def _write(self, target: Path | None) -> None:
        pictures = self._pictures()
        first = next(pictures, None)
        if first is None:
            return
        if target is None:
            for _ in pictures:
                pass
        else:
            write_timed_video(target, _chained(first, pictures), fps=self.source.fps)

    def _pictures(self) -> Iterator[tuple[float, UInt8[Tensor, "c y x"]]]:
        """Every frame as it is shown, with its label; on its way the model gets those that it wants."""
        before: Shown | None = None
        nothing, size = torch.empty(0, 1, 1, dtype=torch.uint8), None
        began = monotonic()
        try:
            for shown in self.source:
                if self._left or self.stop() or (self.until is not None and shown.seconds > self.until):
                    break
                if self.realtime:
                    sleep(max(0.0, began + shown.seconds - monotonic()))
                now = monotonic() - shown.seconds
                self._offset = now if self._offset is None else min(self._offset, now)
                again, once = self.picker.see(shown.seconds)
                if again and before is not None:
                    self._take(before, again)
                if once:
                    self._take(shown, once)
                self._seconds, before = shown.seconds, shown
                drawn = self._drawn(shown) if self.draws else nothing
                if drawn.shape != (size := size or drawn.shape):
                    raise DecodeError(
                        f"{self.source.name}: its pictures have another size from {shown.seconds:.1f} s on; a video "
                        "with the label has one"
                    )
                yield shown.seconds, drawn
        except DecodeError as error:
            self.broken = error
        if before is not None and self.broken is None and not self.stop() and self.until is None:
            self._seconds += 1 / self.source.fps
            if again := self.picker.end(self._seconds):
                self._take(before, again)

    def _take(self, shown: Shown, times: int) -> None:
        """A frame for the model, as it sees it."""
        picture = self.source.picture(shown, self.views.side_of(shown.size))
        centre = View(clip=0, crop=0, indices=torch.zeros(1, dtype=torch.int64))
        step = Step(pixels=self.views.crop(picture[None], centre), seconds=shown.seconds)
        with self._lock:
            for _ in range(times):
                if self._queue.maxlen is not None and len(self._queue) == self._queue.maxlen:
                    self._gap = True
                    self._dropped_frames += 1
                self._queue.append(step)
            self._lock.notify()
        if self.waits:
            for one in self._queue:
                self._push([one], latest=False)
            self._queue.clear()

    def _compute_newest(self) -> bool:
        """What has come since the last look; False at the end of the source."""
        with self._lock:
            while not self._queue and not self._over:
                self._lock.wait(WAIT_SECONDS)
            own, gap = list(self._queue), self._gap
            self._queue.clear()
            self._gap = False
            if not own and self._over:
                return False
        if gap:  # what came before these frames is not what stands before them
            self.stream.reset()
        self._push(own, latest=True)
        return True

    def _push(self, steps: Sequence[Step], *, latest: bool) -> None:
        scores = self.stream.push(torch.cat([step.pixels for step in steps]), latest=latest)
        self._frames += len(steps)
        for row in scores:
            self._scored += 1
            self._label = self._named(row, seconds=steps[-1].seconds)
            self.said(self._label, self._dropped_frames // self.stream.step_frames)

    def _named(self, scores: Float[Tensor, "k"], *, seconds: float) -> Label:
        best = scores.topk(len(self.stream.model.classes))
        names = [self.stream.model.classes[k] for k in best.indices.tolist()]
        lag = None if self.waits or self._offset is None else max(0.0, monotonic() - self._offset - seconds)
        return Label(seconds=seconds, guesses=tuple(zip(names, best.values.tolist(), strict=True)), lag_seconds=lag)

    def _drawn(self, shown: Shown) -> UInt8[Tensor, "c y x"]:
        label = self._label
        side = LEAST_SIDE if min(shown.size) < LEAST_SIDE else None
        guesses = () if label is None else label.guesses[:DRAWN]
        state = "" if label is None else state_words(label, self._dropped_frames // self.stream.step_frames)
        if label is None:
            state = f"waiting for the first {self.stream.frames} frames of the model"
        time = shown_time(shown.seconds, whole=True)
        return self._band.draw(self.source.picture(shown, side), guesses, time=time, state=state)


def _chained(first: tuple[float, Tensor], rest: Iterator[tuple[float, Tensor]]) -> Iterator[tuple[float, Tensor]]:
    yield first
    yield from rest
