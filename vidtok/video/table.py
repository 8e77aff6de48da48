"""Which frames a video has: presentation times from its packets, and the packet where decoding each one begins."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt32
from torch import Tensor

from vidtok.video.orientation import Orientation

MIN_TRUSTED_PACKETS = 8  # fewer cost nothing to decode, and the leftovers of broken files look like them


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What the packets of a file say: the truth that every decoder is held to."""

    pts_seconds: Float64[Tensor, "n"]
    fps: float
    container: str
    """FFmpeg's name of it, such as `mpegts`."""
    stream_index: int
    """Of the best video stream, among all streams of the file."""
    video_streams: int
    """Cover pictures are none."""
    without_times: bool
    """The packets give no usable time for each frame; frames are told by their order."""
    start_seconds: float
    """When the file's clock begins: the first presentation of any of its streams, sound too."""
    orientation: Orientation
    """How the first picture lies."""
    first_picture: UInt8[Tensor, "c y x"] | None
    """As it is coded, of a file that asks for turning: what another decoder has done about it shows in its own."""


@dataclass(frozen=True, kw_only=True)
class PacketList:
    """What the demuxer says of each video packet, in file order. `pts` and `dts` are None where it does not know."""

    pts: list[int | None]
    dts: list[int | None]
    keyframe: list[bool]
    discard: list[bool]
    """Decoded but never shown: what an edit list cuts off."""
    corrupt: list[bool]

    def __len__(self) -> int:
        return len(self.pts)


KEYFRAME, DISCARD = 1, 2


@dataclass(frozen=True, kw_only=True)
class KnownPackets:
    """What tells each packet of a stream from all others: packets that a jump lands on are held to it."""

    pts: Int64[np.ndarray, "m"]
    size: UInt32[np.ndarray, "m"]
    flags: UInt8[np.ndarray, "m"]
    """KEYFRAME and DISCARD, added up."""

    def __len__(self) -> int:
        return len(self.pts)

    def number_of(self, pts: int | None) -> int | None:
        """The packet of this time, of which there is one at most."""
        found = np.flatnonzero(self.pts == pts) if pts is not None else ()
        return int(found[0]) if len(found) == 1 else None

    def fits(self, number: int, *, pts: int | None, size: int, keyframe: bool, discard: bool) -> bool:
        """Whether this is what packet `number` is like."""
        if not (number < len(self) and pts == self.pts[number] and size == self.size[number]):
            return False
        return int(self.flags[number]) == KEYFRAME * keyframe + DISCARD * discard


@dataclass(frozen=True, kw_only=True)
class FrameTable:
    """One row per frame that is shown, in the order of showing.

        packets (file order)   I0 P3 B1 B2 I6 B4 B5 P7      a keyframe is I
        ticks                   0  1  2  3  4  5  6  7      of the frames, sorted
        entry                   0  0  0  0  0  0  4  4      packet from which each can be decoded

    B4 and B5 are shown before the keyframe I6 and may lean on P3: they are decoded from packet 0.
    `by_order`: the file's clock says nothing about single frames; the i-th one that the decoder gives is frame i.
    """

    ticks: Int64[np.ndarray, "n"]
    entry: Int64[np.ndarray, "n"]
    by_order: bool

    def __len__(self) -> int:
        return len(self.ticks)

    def index_of(self, tick: int | None) -> int:
        """The frame that is shown at this tick; -1 where none is."""
        if tick is None:
            return -1
        index = int(self.ticks.searchsorted(tick))
        return index if index < len(self.ticks) and self.ticks[index] == tick else -1


def trusted_ticks(packets: PacketList) -> Int64[np.ndarray, "n"] | None:
    """Presentation times that the packets promise, or None where only decoding can tell.

    Not trusted: a packet without a time, two with the same, one that the demuxer calls corrupt, fewer than
    8 packets, a first packet that is no keyframe, frames shown before the first keyframe (the cut end of an open
    group: most decoders drop them), keyframes that run back in time.
    """
    if not _look_whole(packets):
        return None
    times = [pts for pts in packets.pts if pts is not None]
    if len(times) < len(packets):
        return None
    pts = np.array(times, np.int64)
    shown = np.sort(pts[~np.array(packets.discard, bool)])
    if len(shown) == 0 or (np.diff(shown) == 0).any():
        return None
    keyframes = pts[np.array(packets.keyframe, bool)]
    if shown[0] < keyframes[0] or (np.diff(keyframes) <= 0).any():
        return None
    return shown


def counted_ticks(packets: PacketList) -> Int64[np.ndarray, "n"] | None:
    """Decoding times as the clock of a stream that has no other and shows one frame per packet, or None."""
    ticks = np.array([tick for tick in packets.dts if tick is not None], np.int64)
    whole = _look_whole(packets) and len(ticks) == len(packets) and not any(packets.discard)
    return ticks if whole and (np.diff(ticks) > 0).all() else None


def _look_whole(packets: PacketList) -> bool:
    return len(packets) >= MIN_TRUSTED_PACKETS and packets.keyframe[0] and not any(packets.corrupt)


def decoded_ticks(pts: list[int | None], packets: PacketList, *, step: int) -> tuple[Int64[np.ndarray, "n"], bool]:
    """Rising times for frames decoded in the order of showing, and whether they are the frames' own `pts`.

    Without a rising `pts`, as in AVI files with B-frames, the decoding times of the packets serve: they tick once per
    frame, and the i-th frame shown takes the i-th tick. Where those repeat or jump back as well, as where two
    recordings were joined, the frames' clock goes on by `step` ticks.
    """
    for own, clock in ((True, pts), (False, packets.dts[: len(pts)])):
        ticks = np.array([tick for tick in clock if tick is not None], np.int64)
        if len(ticks) == len(pts) and (np.diff(ticks) > 0).all():
            return ticks, own
    ticks = np.zeros(len(pts), np.int64)
    for i in range(1, len(pts)):
        before, now = pts[i - 1], pts[i]
        forward = 0 if before is None or now is None else now - before
        ticks[i] = ticks[i - 1] + (forward if forward > 0 else step)
    return ticks + (pts[0] or 0 if pts else 0), False


def entries(ticks: Int64[np.ndarray, "n"], packets: PacketList) -> Int64[np.ndarray, "n"]:
    """For each frame, the last keyframe packet that is shown no later than it, or packet 0."""
    found = [
        (pts, i)
        for i, (pts, key) in enumerate(zip(packets.pts, packets.keyframe, strict=True))
        if key and pts is not None
    ]
    keyframe_ticks = np.array([pts for pts, _ in found], np.int64)
    if len(found) == 0 or (np.diff(keyframe_ticks) <= 0).any():
        return np.zeros(len(ticks), np.int64)
    positions = np.array([0] + [i for _, i in found], np.int64)
    return positions[np.searchsorted(keyframe_ticks, ticks, side="right")]
