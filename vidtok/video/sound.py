"""The sound of a part of a video, written beside new pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import OutputContainer

from vidtok.video.source import is_stored

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Samples per second that AAC has and browsers play; others become the last one."""


class Sound:
    """The sound of a file between two presentation times of its own clock, as AAC beside pictures that begin at 0.

    Nothing is written for a folder of pictures, a member of an archive, a file without sound or one whose sound has no
    decoder. Use it once: `begin`, `until` with rising times, `end`.
    """

    def __init__(self, path: str | Path, *, start_seconds: float | int, end_seconds: float | int):
        self.path, self.start, self.stop = Path(path), start_seconds, end_seconds
        self._stream: Any = None
        self._frames: Iterator[AudioFrame] | None = None
        self._done = 0.0
        self._source: Any = None

    def begin(self, container: OutputContainer) -> None:
        """Add a stream where there is sound."""
        if is_stored(self.path) or not self.path.is_file():
            return
        self._source = av.open(str(self.path.absolute()))
        found = self._source.streams.best("audio")
        if found is None or found.codec_context is None:
            self._source.close()
            self._source = None
            return
        rate = found.codec_context.sample_rate
        rate = rate if rate in RATES else RATES[-1]
        layout = "mono" if found.codec_context.layout.nb_channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=rate)
        self._stream.codec_context.layout = layout
        self._frames = self._cut(found, rate=rate, layout=layout)

    def until(self, container: OutputContainer, seconds: float) -> None:
        """Write what is heard before this time of the new file."""
        if self._frames is None:
            return
        while self._done < seconds:
            frame = next(self._frames, None)
            if frame is None:
                return
            self._done = ((frame.pts or 0) + frame.samples) / frame.sample_rate
            container.mux(self._stream.encode(frame))

    def end(self, container: OutputContainer) -> None:
        """Write the rest."""
        if self._frames is None:
            return
        self.until(container, float("inf"))
        container.mux(self._stream.encode(None))
        self.close()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _cut(self, stream: Any, *, rate: int, layout: str) -> Iterator[AudioFrame]:
        """Frames of the part alone, counted from its beginning."""
        resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        if self.start > 1:
            self._source.seek(int((self.start - 1) * av.time_base))  # a little before: decoders warm up
        at, begun = 0, False
        length = round((self.stop - self.start) * rate)
        for frame in self._source.decode(stream):
            if not begun:
                if frame.time is None:
                    continue
                at, begun = round((frame.time - self.start) * rate), True
            for piece in resampler.resample(frame):
                samples: Any = piece.to_ndarray()
                first, last = max(0, -at), min(samples.shape[1], length - at)
                if last > first:
                    part: Any = np.ascontiguousarray(samples[:, first:last])
                    cut = AudioFrame.from_ndarray(part, "fltp", layout)
                    cut.sample_rate, cut.pts = rate, at + first
                    yield cut
                at += samples.shape[1]
            if at >= length:
                return
