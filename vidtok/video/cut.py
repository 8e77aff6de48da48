"""Parts cut out of a long video, each into a file of its own, by one pass over the video."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vidtok.video.prepare import (
    Encoding,
    Prepared,
    check_written,
    clock_ticks,
    named_target,
    opened_mp4,
    part_file,
    prepared_size,
    video_encoder_options,
)
from vidtok.video.pyav import PyAVReader
from vidtok.video.sample import no_part_words, part_frames
from vidtok.video.source import stored_bytes
from vidtok.video.stream import every_frame


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A part of a video, in seconds by its clock, and the file for it. None: from the beginning, to the end."""

    target: Path
    start_seconds: float | None = None
    end_seconds: float | None = None


def cut_video(
    source: str | Path,
    cuts: Sequence[Cut],
    *,
    short_side: int = 256,
    gop: int = 16,
    crf: int = 26,
    preset: str = "medium",
    timeout_seconds: float = 60.0,
    on_frame: Callable[[], None] | None = None,
) -> list[Prepared | str]:
    """Write each part anew as `prepare_video` writes a whole video; for each what became of it, or why it is not there.

    A file holds exactly the frames that a record of this part has (`part_frames`), the first of them at 0 s. The video
    is decoded once, from its start, up to the last frame that is wanted; a file appears whole or not at all, as soon as
    the pass is behind it, so that one that stops there leaves all that came before.

    A part without a frame is told by its words. Raises DecodeError for a source that cannot be decoded that far, and
    otherwise as `prepare_video` does.
    """
    source = Path(source)
    outcomes: list[Prepared | str] = [""] * len(cuts)
    with PyAVReader(source, timeout_seconds=timeout_seconds) as video, ExitStack() as stack:
        seconds = video.pts_seconds - video.start_seconds
        works: list[_Work] = []
        for place, cut in enumerate(cuts):
            times = {"start_seconds": cut.start_seconds, "end_seconds": cut.end_seconds}
            first, stop = part_frames(seconds, **times)
            if first < stop:
                works.append(stack.enter_context(_Work(place, cut, video, first, stop)))
            else:
                outcomes[place] = no_part_words(seconds, **times)
        if not works:
            return outcomes
        options = video_encoder_options(gop=gop, crf=crf, preset=preset)
        size = prepared_size(video.size, short_side)  # before the pass: asking for the size decodes a frame
        for index, frame in enumerate(every_frame(video, stop=max(work.stop for work in works))):
            for work in works:
                if index == work.first:
                    work.begin(size=size, options=options)
                if work.first <= index < work.stop:
                    work.put(frame)
                if index == work.stop - 1:
                    work.end()
            if on_frame is not None:
                on_frame()
        for work in works:
            outcomes[work.place] = work.facts(video.damaged)
    return outcomes


class _Work:
    """One file on its way."""

    def __init__(self, place: int, cut: Cut, video: PyAVReader, first: int, stop: int):
        self.place, self.first, self.stop = place, first, stop
        self._cut, self._video = cut, video
        self._aside = part_file(cut.target, process=os.getpid())
        self._open = ExitStack()

    def __enter__(self) -> "_Work":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
        if self._aside.is_file():
            self._aside.unlink()

    def begin(self, *, size: tuple[int, int], options: dict[str, str]) -> None:
        ticks, clock = clock_ticks(self._video)
        self._size = size
        container = self._open.enter_context(opened_mp4(self._aside, self._cut.target, clock))
        self._encoding = Encoding(
            container,
            path=self._video.path,
            fps=self._video.fps,
            size=size,
            ticks=[tick - ticks[self.first] for tick in ticks[self.first : self.stop]],
            clock=clock,
            late=0.0,
            options=options,
        )

    def put(self, frame) -> None:  # no annotation: the checker of shapes would look into every frame
        self._encoding.put(frame)

    def end(self) -> None:
        """The file appears."""
        self._encoding.end()
        self._open.close()
        shown = self._video.pts_seconds[self.first : self.stop]
        check_written(
            self._aside,
            shown - shown[0],
            late=0.0,
            path=self._video.path,
            timeout_seconds=self._video.timeout_seconds,
        )
        with named_target(self._cut.target):
            os.replace(self._aside, self._cut.target)

    def facts(self, damaged: frozenset[int]) -> Prepared:
        video = self._video
        return Prepared(
            frames=self.stop - self.first,
            fps=video.fps,
            source_size=video.size,
            size=self._size,
            source_bytes=stored_bytes(video.path, timeout_seconds=video.timeout_seconds),
            bytes=self._cut.target.stat().st_size,
            shift_seconds=-float(video.pts_seconds[self.first]),
            damaged_frames=len(damaged & frozenset(range(self.first, self.stop))),
        )
