"""Where the time of a training sample goes in a worker: by function, as Python's own profiler sees it."""

import cProfile
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType

import torch

from vidtok.data.augment import Augment
from vidtok.data.loader import Collate
from vidtok.data.transforms import crop_resize
from vidtok.train.timing import REST
from vidtok.types import Batch
from vidtok.video.crop import CropPictures
from vidtok.video.indexed import IndexedReader
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import open_video
from vidtok.video.rgb import RgbPictures

# The functions of each part; what is called from another part is taken off from that one below.
OPEN, DECODE, TO_RGB, CROP_YUV = "open", "decode", "to RGB", "crop in YUV, to RGB"
FUNCTIONS: Mapping[str, tuple[Callable[..., object], ...]] = {
    OPEN: (open_video,),
    DECODE: (PyAVReader.frames_at, PyAVReader.crops_at, IndexedReader.frames_at),
    TO_RGB: (RgbPictures.put, RgbPictures.upright),
    CROP_YUV: (CropPictures.put, CropPictures.upright),
    "crop": (crop_resize,),
    "augment": (Augment.__call__,),
    "collate": (Collate.__call__,),
}


@dataclass(frozen=True, kw_only=True)
class SampleTimes:
    """Mean seconds of each part of a clip that training sees; `rest` is what belongs to none of them."""

    parts: Mapping[str, float]
    clips: int

    @property
    def seconds(self) -> float:
        return sum(self.parts.values())


def time_samples(batches: Iterable[Batch], *, most_seconds: float = 3.0) -> SampleTimes | None:
    """Time the making of batches in this process, on one thread, as a worker does; None without a readable video.

    The first batch, which reads from the disk, is not counted. Backends other than `pyav` convert and scale while they
    decode, which then counts as decoding.
    """
    profile, clips, seconds = cProfile.Profile(), 0, 0.0
    with _one_thread():
        stream = iter(batches)
        next(stream, None)
        while seconds < most_seconds:
            start = time.perf_counter()
            batch = profile.runcall(next, stream, None)
            seconds += time.perf_counter() - start
            if batch is None:
                break
            clips += len(batch)
    if not clips:
        return None
    by_code = {entry.code: entry.totaltime for entry in profile.getstats() if isinstance(entry.code, CodeType)}
    parts = {name: sum(by_code.get(code, 0.0) for code in _codes(each)) for name, each in FUNCTIONS.items()}
    parts[DECODE] -= parts[TO_RGB] + parts[CROP_YUV]
    parts[REST] = seconds - sum(parts.values())
    return SampleTimes(parts={name: part / clips for name, part in parts.items() if part > 0}, clips=clips)


def _codes(functions: Iterable[Callable[..., object]]) -> set[CodeType]:
    """What the interpreter runs, behind decorators that check arguments."""
    return {inspect.unwrap(function).__code__ for function in functions}


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
