"""A list of videos and a plan of views, as a map-style dataset that chooses nothing.

Which frames, which crop, which flip and which augmentation are pure functions of (seed, record, epoch, frame table), so
that `dataset.sample(record=17, epoch=3)` makes again exactly what training saw.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from torch import Tensor
from torch.utils.data import Dataset

from vidtok.data.views import TestViews, TrainViews
from vidtok.errors import DecodeError
from vidtok.types import Damaged, Failure, Record, Sample, View
from vidtok.video.reader import READ_SECONDS, VideoReader, check_backend, holds_pictures, open_video
from vidtok.video.sample import CLOCK_SECONDS, no_part_words, part_frames

Key = tuple[int, int, int | None]
"""What a sampler asks for: record, epoch, and rows and columns of the crops in pixels; None: the views' own size."""


class VideoDataset(Dataset[Sample | Failure]):
    """Videos as samples. A key is `(record, epoch, size)`; a video that cannot be decoded comes back as a Failure.

    `timeout_seconds` bounds the opening of a video and each reading of frames: see `open_video`.
    """

    def __init__(
        self,
        records: Sequence[Record],
        *,
        views: TrainViews | TestViews,
        seed: int = 0,
        backend: str = "pyav",
        timeout_seconds: float = READ_SECONDS,
    ):
        check_backend(backend)
        self.records = records
        self.views = views
        self.seed = seed
        self.backend = backend
        self.timeout_seconds = timeout_seconds

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Key) -> Sample | Failure:
        record, epoch, size = key
        try:
            return self.sample(record=record, epoch=epoch, size=size)
        except DecodeError as error:
            item = self.records[record]
            return Failure(index=record, path=item.path, cause=str(error), key=item.key)

    def sample(self, *, record: int, epoch: int = 0, view: int | None = None, size: int | None = None) -> Sample:
        """All views of a record, or one of them. The video is opened here and decoded once for all views.

        `size` is that of the step, where training changes it from step to step; None: the views' own.
        Raises DecodeError for a video that cannot be decoded, and where the record's part of it has no frames.
        """
        row = self.records[record]
        rng = np.random.default_rng([self.seed, record, epoch])
        with open_record(row, backend=self.backend, timeout_seconds=self.timeout_seconds) as reader:
            seconds = clock_seconds(reader)
            views = plan(self.views, row, seconds, rng)
            pixels = self.views.cut(reader, views, rng, size=size)
            spoiled = len(reader.damaged or ())
        if isinstance(self.views, TrainViews):
            labels = [shown_labels(row, seconds, each) for each in views]
        else:
            labels = [unique(row.labels)] * len(views)
        chosen = slice(None) if view is None else slice(view, view + 1)
        return Sample(
            index=record,
            views=pixels[chosen],
            labels=tuple(labels[chosen]),
            video_id=row.video_id,
            damaged=Damaged(index=record, path=row.path, frames=spoiled) if spoiled else None,
        )


def open_record(record: Record, *, backend: str, timeout_seconds: float = READ_SECONDS) -> VideoReader:
    """The record's video, or its pictures at its rate; DecodeError for a rate beside a video, which says its own."""
    if record.fps is not None and backend != "frames" and not holds_pictures(record.path):
        raise DecodeError(
            f"{record.path}: the list gives it {record.fps:g} frames per second, but that is for folders of pictures; "
            f"this is a video, and says its own rate"
        )
    return open_video(record.path, backend=backend, fps=record.fps, timeout_seconds=timeout_seconds)


def clock_seconds(reader: VideoReader) -> Float64[Tensor, "n"]:
    """When each frame is shown by the file's clock, which the times of records count by, as players do."""
    return reader.pts_seconds - reader.start_seconds


def plan(
    views: TrainViews | TestViews, record: Record, seconds: Float64[Tensor, "n"], rng: np.random.Generator
) -> list[View]:
    """The views of a record; frames outside of its part are as if they were not there. `seconds`: see `clock_seconds`.

    Raises DecodeError where no frame is left.
    """
    first, stop = part(record, seconds)
    planned = views.views(seconds[first:stop], rng)
    return [replace(view, indices=view.indices + first) for view in planned] if first else planned


def part(record: Record, seconds: Float64[Tensor, "n"]) -> tuple[int, int]:
    """The first frame of a record's part and the first behind it (see `part_frames`); DecodeError for an empty one."""
    times = {"start_seconds": record.start_seconds, "end_seconds": record.end_seconds}
    first, stop = part_frames(seconds, **times)
    if first >= stop:
        raise DecodeError(f"{record.path}: {no_part_words(seconds, **times)}")
    return first, stop


def shown_labels(record: Record, seconds: Float64[Tensor, "n"], view: View) -> tuple[int, ...]:
    """The labels that happen during a clip, from its first frame to the end of its last: the union over that time.

    PySlowFast's rule for Charades, which joins the labels of all frames from the first to the last. There a label holds
    for a frame whose time lies inside its interval; here it counts when interval and clip overlap, by more than the
    half millisecond within which times count as equal.
    """
    if not record.intervals:
        return unique(record.labels)
    first, last = int(view.indices.min()), int(view.indices.max())
    begin = float(seconds[first])
    # The last frame of a video is shown for the mean duration of the others.
    shown = float(seconds[last] - seconds[0]) / max(last, 1)
    end = float(seconds[last + 1] if last + 1 < len(seconds) else seconds[last] + shown)
    pairs = zip(record.labels, record.intervals, strict=True)
    return unique(
        label for label, (start, stop) in pairs if start < end - CLOCK_SECONDS and stop > begin + CLOCK_SECONDS
    )


def unique(labels: Iterable[int]) -> tuple[int, ...]:
    """Each label once: one can happen several times in a video."""
    return tuple(dict.fromkeys(labels))
