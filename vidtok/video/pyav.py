"""The backend that always works: PyAV, which carries its own FFmpeg.

What is read, once, at opening: every packet of the best video stream, without decoding. The packets give the true
table of presentation times; they are kept, so that jumping is choosing another packet to go on from, which is exact
in every container (seeking is not: transport streams and AVI land where they like).

AVI with B-frames has no presentation times: its frames are counted, and always decoded from the start.

Where the packets cannot be trusted (see `trusted_ticks`; and MPEG-4 with B-frames in AVI), the whole stream is decoded
once at opening, without conversion, and the table holds exactly the frames that came out before the first error.
Damage that only a decoder can see, in a file whose packets look whole, is met in `frames_at`: the frames before it
come, a frame that does not come is a DecodeError.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import av
import numpy as np
import torch
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import Float64
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.types import Frames
from vidtok.video.rgb import RgbPictures, scaled_size
from vidtok.video.table import FrameTable, PacketList, counted_ticks, decoded_ticks, entries, trusted_ticks

KEPT_BYTES = 64 * 2**20  # packets of longer streams are read from the file again for each `frames_at`

# Titles in another encoding than UTF-8 fail to open without it; PyAV 19 has no such switch any more, and needs none.
IGNORE_METADATA_ERRORS: dict[str, Any] = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "ignore"}
)


class PyAVReader:
    """An open video, one decoder thread (worker processes are the parallelism). See `VideoReader`.

    Pictures are 8-bit RGB: colour matrix and range as the file says (BT.601, limited range where it is silent; grey
    pictures count as full range, as in FFmpeg), transparency dropped, pixels taken as square, fields not separated.
    Rotation by quarter turns is applied; pictures whose size changes in mid-stream are scaled to the first size.
    """

    def __init__(self, path: str | Path, *, timeout_seconds: float = 30.0):
        self.path = Path(path)
        self.timeout_seconds = timeout_seconds
        self._process = os.getpid()
        self._closed = False
        self._reformatter = VideoReformatter()
        self._damage: str | None = None
        self._size: tuple[int, int] | None = None
        self._deadline = monotonic() + timeout_seconds
        if self.path.is_dir():
            raise DecodeError(f"{self.path}: is a folder, not a video file")
        with self._named():
            self._container, self._stream = self._open()
            try:
                self._codec = self._stream.codec_context
                self._codec.thread_count = 1
                self._coded_size = (self._codec.height, self._codec.width)
                self._table = self._read_table()
                time_base = float(self._stream.time_base or 0)
                self.pts_seconds: Float64[Tensor, "n"] = torch.from_numpy(self._table.ticks * time_base)
                self.fps = self._average_rate()
            except BaseException:
                self._container.close()
                raise

    # ---- what a reader is asked ----

    def __len__(self) -> int:
        return len(self._table)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a picture, after rotation; asking for it the first time decodes one frame."""
        if self._size is None:
            y, x = self.frames_at([0]).pixels.shape[-2:]
            self._size = (y, x)
        return self._size

    def frames_at(self, indices: Sequence[int], *, short_side: int | None = None) -> Frames:
        """Pictures at these indices, decoded in one forward pass over the frames that are wanted.

        The pass jumps to a later keyframe where frames between two wanted ones are not needed, and converts only the
        wanted ones to RGB, scaling them on the way (antialiased bilinear filter). The long side is rounded down.
        `pixels` is contiguous in the order `f c y x` when scaled, `f y x c` when not.

        Raises DecodeError for a frame that is not in the table or does not come out of the decoder, and after
        `timeout_seconds`; RuntimeError once closed, and in a process other than the one that opened the video.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self.path} was opened by process {self._process}: open it in the worker that reads it"
            )
        if self._closed:
            raise RuntimeError(f"{self.path} is closed")
        beyond = [index for index in indices if not 0 <= index < len(self)]
        if beyond:
            cause = f" (decoding stops there: {self._damage})" if self._damage else ""
            raise DecodeError(f"{self.path}: has frames 0 to {len(self) - 1}{cause}, asked for {beyond[0]}")
        self._deadline = monotonic() + self.timeout_seconds
        wanted = sorted(set(indices))
        size = scaled_size(self._coded_size, short_side)
        pictures = RgbPictures(len(wanted), size=size, scaled=size != self._coded_size, reformatter=self._reformatter)
        with self._named():
            missing = self._convert(wanted, pictures, from_start=False)
            if missing is not None:
                missing = self._convert(wanted, pictures, from_start=True)
        if missing is not None:
            raise DecodeError(f"{self.path}: frame {missing} of {len(self)} did not come out of the decoder")
        row = {index: i for i, index in enumerate(wanted)}
        rows = torch.tensor([row[index] for index in indices], dtype=torch.int64)
        pixels = pictures.upright()
        in_order = len(indices) == len(wanted) and all(a == b for a, b in zip(indices, wanted, strict=True))
        pts_seconds = self.pts_seconds[torch.tensor(list(indices), dtype=torch.int64)]
        return Frames(pixels=pixels if in_order else pixels[rows], pts_seconds=pts_seconds)

    def close(self) -> None:
        self._closed = True
        self._kept = []
        self._container.close()

    def __enter__(self) -> "PyAVReader":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- packets ----

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Everything that FFmpeg, PyAV or the file system can say becomes a DecodeError with the file's name."""
        try:
            yield
        except (FFmpegError, OSError, ValueError, EOFError, MemoryError) as error:
            cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DecodeError(f"{self.path}: {cause}") from error

    def _in_time(self) -> None:
        if monotonic() > self._deadline:
            raise DecodeError(f"{self.path}: not read within {self.timeout_seconds:g} s")

    def _open(self) -> tuple[InputContainer, VideoStream]:
        # Absolute, because FFmpeg takes `name:rest` for a protocol.
        container = av.open(
            str(self.path.absolute()),
            timeout=self.timeout_seconds,
            **IGNORE_METADATA_ERRORS,
        )
        try:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
                raise DecodeError(f"{self.path}: has no video stream")
            if stream.codec_context is None:
                raise DecodeError(f"{self.path}: FFmpeg has no decoder for its video stream")
        except BaseException:
            container.close()
            raise
        return container, stream

    def _demuxed(self, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
        try:
            for packet in container.demux(stream):
                self._in_time()
                if packet.size:
                    yield packet
        except IndexError:
            # All packets have come: at the end, PyAV stumbles over streams that were not there at the beginning.
            return

    def _packets(self, first: int) -> Iterator[av.Packet]:
        """Video packets in file order from number `first` on."""
        if self._kept is not None:
            for number in range(first, len(self._kept)):
                yield self._kept[number]
            return
        container, stream = self._open()
        with container:
            yield from islice(self._demuxed(container, stream), first, None)

    def _read_table(self) -> FrameTable:
        packets = PacketList(pts=[], dts=[], keyframe=[], discard=[], corrupt=[])
        kept: list[av.Packet] | None = []
        size = 0
        try:
            for packet in self._demuxed(self._container, self._stream):
                packets.pts.append(packet.pts)
                packets.dts.append(packet.dts)
                packets.keyframe.append(packet.is_keyframe)
                packets.discard.append(packet.is_discard)
                packets.corrupt.append(packet.is_corrupt)
                size += packet.size
                if size > KEPT_BYTES:
                    kept = None
                elif kept is not None:
                    kept.append(packet)
        except FFmpegError as error:
            self._damage = error.strerror
        self._kept = kept
        if self._damage is not None or 0 in self._coded_size:
            return self._table_by_decoding(packets)
        if "avi" not in self._container.format.name or not self._codec.has_b_frames:
            ticks = trusted_ticks(packets)
            if ticks is not None:
                return FrameTable(ticks=ticks, entry=entries(ticks, packets), by_order=False)
        elif self._codec.name != "mpeg4":  # MPEG-4 in AVI is packed: two frames in a packet, none in the next
            ticks = counted_ticks(packets)
            if ticks is not None:
                return FrameTable(ticks=ticks, entry=np.zeros(len(ticks), np.int64), by_order=True)
        return self._table_by_decoding(packets)

    def _average_rate(self) -> float:
        """Frames per second by the table; for a single frame what the header says, or 1."""
        duration = float(self.pts_seconds[-1] - self.pts_seconds[0])
        return (len(self) - 1) / duration if duration > 0 else float(self._stream.average_rate or 0) or 1.0

    # ---- frames ----

    def _decoded(self, first: int) -> Iterator[av.VideoFrame]:
        """Frames in the order of showing, decoding from packet number `first` on."""
        self._codec.flush_buffers()
        for packet in self._packets(first):
            self._in_time()
            self._sent += 1
            yield from self._codec.decode(packet)
        yield from self._codec.decode(None)

    def _table_by_decoding(self, packets: PacketList) -> FrameTable:
        pts: list[int | None] = []
        self._sent = 0
        try:
            for frame in self._decoded(0):
                if not pts:
                    self._coded_size = (frame.height, frame.width)
                pts.append(frame.pts)
        except FFmpegError as error:
            self._damage = error.strerror
        if not pts:
            raise DecodeError(f"{self.path}: not one frame can be decoded ({self._damage or 'no pictures in it'})")
        seconds_per_frame = 1 / (float(self._stream.average_rate or 0) or 25.0)
        step = max(1, round(seconds_per_frame / (float(self._stream.time_base or 0) or 1.0)))
        ticks, own = decoded_ticks(pts, packets, step=step)
        entry = entries(ticks, packets) if own else np.zeros(len(ticks), np.int64)
        return FrameTable(ticks=ticks, entry=entry, by_order=not own)

    def _convert(self, wanted: list[int], pictures: RgbPictures, *, from_start: bool) -> int | None:
        """Fill `pictures`; the first wanted frame that did not come, or None.

        After a jump, a picture counts only once the decoder itself has given a keyframe, and if it does not call it
        corrupt: what containers flag as keyframe can be the begin of a gradual refresh, and not lead to whole pictures.
        """
        index_of: dict[int | None, int] = {int(tick): i for i, tick in enumerate(self._table.ticks)}
        frames: Iterator[av.VideoFrame] | None = None
        given, jumped, whole = 0, False, True
        for row, index in enumerate(wanted):
            entry = 0 if from_start else int(self._table.entry[index])
            if frames is None or entry > self._sent:
                frames, self._sent = self._decoded(entry), entry
                given, jumped, whole = 0, entry > 0, entry == 0
            try:
                for frame in frames:
                    at = given if self._table.by_order else index_of.get(frame.pts, -1)
                    given += 1
                    whole = whole or frame.key_frame
                    if at >= index:
                        break
                else:
                    return index
            except FFmpegError as error:
                raise DecodeError(f"{self.path}: frame {index} of {len(self)}: {error.strerror}") from error
            if at > index or not whole or (jumped and frame.is_corrupt):
                return index
            pictures.put(row, frame)
        return None
