"""The records that travel from a list file to the metric. Each is frozen and checks itself.

Axes: `v` views, `f` frames, `c` colour, `y` rows, `x` columns of pixels; `b` clips or videos of a batch.
"""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of a list file: a video, or a part of one, and its labels.

    Seconds are those that players show: they count from where the first of the file's streams begins, sound too.
    """

    path: Path
    labels: tuple[int, ...]
    video_id: str
    start_seconds: float | None = None
    """Only what is shown from here on belongs to the record; None: from the beginning."""
    end_seconds: float | None = None
    """Only what is shown before this time belongs to the record; None: to the end."""
    intervals: tuple[tuple[float, float], ...] = ()
    """When each label happens, (start, end) in seconds of the video, in the order of `labels`; empty: all the time."""
    fps: float | None = None
    """Rate of a folder of pictures, which has no times of its own."""

    @property
    def key(self) -> str:
        """What tells this record from the others, wherever it stands in its list: the id, and the part of the video."""
        if self.start_seconds is None and self.end_seconds is None:
            return self.video_id
        end = "" if self.end_seconds is None else f"{self.end_seconds:g}"
        return f"{self.video_id} {self.start_seconds or 0:g}-{end} s"

    def __post_init__(self):
        if any(label < 0 for label in self.labels):
            raise ValueError(f"labels count from 0, got {self.labels} for {self.path}")
        if self.intervals and len(self.intervals) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels, but {len(self.intervals)} intervals for {self.path}")
        for start, end in ((self.start_seconds or 0.0, self.end_seconds), *self.intervals):
            if start < 0 or (end is not None and end < start):
                raise ValueError(f"a part of a video goes from a time to a later one, got {start} to {end} s")


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Decoded pictures of one video, in the order in which they were asked for."""

    pixels: UInt8[Tensor, "f c y x"]
    pts_seconds: Float64[Tensor, "f"]

    def __post_init__(self):
        if len(self.pixels) != len(self.pts_seconds):
            raise ValueError(f"{len(self.pixels)} pictures, but {len(self.pts_seconds)} presentation times")

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle of the upright picture in pixels, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    flip: bool = False


@dataclass(frozen=True, kw_only=True)
class View:
    """One clip and one crop of a video: `indices` are source frames, `crop` counts from left (or top) to right."""

    clip: int
    crop: int
    indices: Int64[Tensor, "f"]

    def __post_init__(self):
        if self.clip < 0 or self.crop < 0:
            raise ValueError(f"clip and crop count from 0, got {self.clip} and {self.crop}")
        if len(self.indices) == 0 or int(self.indices.min()) < 0:
            raise ValueError(f"a view needs frame indices from 0 on, got {self.indices.tolist()}")


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A record that is used although damage in its file has spoiled some of the frames that its views take."""

    index: int
    path: Path
    frames: int


@dataclass(frozen=True, kw_only=True)
class Sample:
    """All views of one record. `index` is the record's row in its list; `labels` has a tuple for each view."""

    index: int
    views: UInt8[Tensor, "v f c y x"]
    labels: tuple[tuple[int, ...], ...]
    video_id: str
    damaged: Damaged | None = None

    def __post_init__(self):
        if len(self.views) != len(self.labels):
            raise ValueError(f"{len(self.views)} views, but labels for {len(self.labels)}")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A record whose video could not be decoded, and why. `key` is `Record.key`."""

    index: int
    path: Path
    cause: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The samples of one step on one process, the records that could not be decoded, and those with damaged frames.

    In training a row is a clip with the labels of its own time, and `v` is 1; in evaluation a row is a video.
    A batch may be empty (`views` is then `0 v f c y x`): every process takes every step.
    """

    views: UInt8[Tensor, "b v f c y x"]
    labels: tuple[tuple[int, ...], ...]
    indices: tuple[int, ...]
    video_ids: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    damaged: tuple[Damaged, ...] = ()
    counts: tuple[int, ...] = ()
    """How many views each row has, where they differ: what comes behind them is of zeros. Empty: all of them."""

    def __post_init__(self):
        sizes = {len(self.views), len(self.labels), len(self.indices), len(self.video_ids)}
        sizes |= {len(self.counts)} if self.counts else set()
        if len(sizes) != 1:
            raise ValueError(f"views, labels, indices and ids of a batch differ in length: {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.views)


@dataclass(frozen=True, kw_only=True)
class AttentionMap:
    """Where a network looks: a number for every place of a grid, `b t h w`, or one such map for each learned token.

    Time step i of t belongs to the frames from i · f / t on; rows and columns of the grid divide the picture evenly.
    """

    place: str
    """The layer, such as "block 12 of 12, mhsa"."""
    query: str
    """Whose look it is, such as "the class token"."""
    meaning: str
    """What a number says, such as "attention, mean over heads"."""
    maps: Float[Tensor, "b t h w"] | Float[Tensor, "b t s h w"]

    def __post_init__(self):
        if self.maps.dim() not in (4, 5) or 0 in self.maps.shape[1:]:
            raise ValueError(f"maps are b t h w or b t s h w, with one place at least, got {tuple(self.maps.shape)}")
