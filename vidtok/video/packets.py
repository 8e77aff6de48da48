"""A video file as PyAV reads it: the packets, the table of its frames, and the decoder.

What is read, once, at opening: every packet of the best video stream, without decoding. The packets give the true
table of presentation times; they are kept, so that jumping is choosing another packet to go on from, which is exact
in every container (seeking is not: transport streams and AVI land where they like). Of a long video the table comes
from a file where it was read before (vidtok.video.table_file), and packets from the video again: by a seek in
containers with an index, where every packet that comes is held to the table, else from the beginning. FFmpeg itself
decodes the first frames of a file when it opens one, to see what they are like; where the header says it (H.264 in mp4
and mov), it is kept from that, which is most of the time that opening takes.

AVI with B-frames has no presentation times: its frames are counted, and always decoded from the start.

Where the packets cannot be trusted (see `trusted_ticks`; and MPEG-4 with B-frames in AVI), the whole stream is decoded
once at opening, without conversion, and the table holds exactly the frames that came out before the first error.
Damage that only a decoder can see, in a file whose packets look whole, is met in `frames_at`: the frames before it
come, a frame that does not come is a DecodeError.
"""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import Int64

from vidtok.errors import DecodeError
from vidtok.video.container import open_container
from vidtok.video.damage import Damage
from vidtok.video.opened import OpenVideo
from vidtok.video.orientation import UPRIGHT, Orientation, orientation_of
from vidtok.video.source import is_stored
from vidtok.video.table import (
    DISCARD,
    KEYFRAME,
    FileFacts,
    FrameTable,
    KnownPackets,
    PacketList,
    counted_ticks,
    decoded_ticks,
    entries,
    trusted_ticks,
)
from vidtok.video.table_file import LEAST_PACKETS, FileState, KeptTable, file_state, keep_table, read_table

KEPT_BYTES = 64 * 2**20  # packets of longer streams are read from the file again for each `frames_at`

# Containers with an index, in which a seek lands on the keyframe that was asked for, or before it.
INDEXED = ("mp4", "matroska")

LEAD_IN_SECONDS = 0.05  # of AAC: 1024 or 2112 samples

# Decoders that tell frames which no other leans on from the bitstream itself, and leave them out when asked to.
LEAVES_OUT = {"h264"}

# Decoders that go on over damage without a word. What they leave of a picture is what its memory held before, so that
# only the whole way from the start, with a decoder that has decoded nothing else, gives the same picture each time.
SILENT = {"hevc", "vp8"}


class PacketReader(OpenVideo):
    """An open file whose packets are known; its frames come out one after the other, in the order of showing."""

    def __init__(self, path: str | Path, *, timeout_seconds: float = 30.0):
        super().__init__(Path(path), timeout_seconds=timeout_seconds)
        self.cut_short: str | None = None
        self.damaged: frozenset[int] = frozenset()
        self.orientation: Orientation | None = None  # only a frame tells
        self.leaves_out = self.left_out = self.ending = self.has_met_damage = False
        self._probed = False
        stored = is_stored(self.path)
        if not stored and self.path.is_dir():
            raise DecodeError(f"{self.path}: is a folder, not a video file")
        state = None if stored else file_state(self.path)
        with self.named_errors():
            self._container, self.stream = self._open()
            try:
                self.codec = self.stream.codec_context
                self.codec.thread_count = 1
                self.is_silent = self.codec.codec.canonical_name in SILENT
                self.decoder_is_fresh = True
                self._decoding = self._container
                self.coded_size = (self.codec.height, self.codec.width)
                self._known: KnownPackets | None = None
                self._kept: list[av.Packet] | None = None
                self.table = self._table_of_file(state)
                time_base = float(self.stream.time_base or 0)
                self.pts_seconds = torch.from_numpy(self.table.ticks * time_base)
                self.fps = self._average_rate()
                self.start_seconds = self._clock_start()
            except BaseException:
                self._container.close()
                raise

    @property
    def facts(self) -> FileFacts:
        """Decodes the first frame. Raises DecodeError where it cannot be decoded."""
        streams = self._container.streams.video
        first_picture = None
        with self.named_errors():
            frame = next(self.decoded(0), None)
            if frame is not None:
                self.settle(frame)
                # A tag is what old versions of FFmpeg turn by, without a matrix.
                if self.orientation != UPRIGHT or "rotate" in map(str.lower, self.stream.metadata):
                    first_picture = torch.from_numpy(frame.to_ndarray(format="rgb24")).movedim(-1, 0)
        return FileFacts(
            pts_seconds=self.pts_seconds,
            fps=self.fps,
            container=self._container.format.name,
            stream_index=self.stream.index,
            video_streams=sum(not stream.disposition & Disposition.attached_pic for stream in streams),
            without_times=self.table.by_order,
            start_seconds=self.start_seconds,
            orientation=self.orientation or UPRIGHT,
            first_picture=first_picture,
        )

    def close(self) -> None:
        super().close()
        self._kept = []
        self._decoding.close()
        self._container.close()

    # ---- packets ----

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Everything that FFmpeg, PyAV or the file system can say becomes a DecodeError with the file's name."""
        try:
            yield
        except (FFmpegError, OSError, ValueError, EOFError, MemoryError) as error:
            cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DecodeError(f"{self.path}: {cause}") from error

    def _open(self) -> tuple[InputContainer, VideoStream]:
        container, stream, self._probed = open_container(
            self.path, timeout_seconds=self.timeout_seconds, probe=self._probed
        )
        return container, stream

    def settle(self, frame: av.VideoFrame) -> None:
        """Learn what only a frame tells, from a first one: how pictures lie, and their size.

        Where that is not the header's, FFmpeg looks for the size of the first picture.
        """
        if self.orientation is None:
            self.orientation = orientation_of(frame)
        if not self._probed and (frame.height, frame.width) != self.coded_size:
            self._probed = True
            container, stream = self._open()
            with container:
                self.coded_size = (stream.codec_context.height, stream.codec_context.width)

    def _demuxed(self, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
        try:
            for packet in container.demux(stream):
                self.check_deadline()
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
        if self._known is not None:
            for packet in self._jumped(self._known, first):
                first += 1
                yield packet
            if first == len(self._known):
                return
        container, stream = self._open()
        with container:
            yield from islice(self._demuxed(container, stream), first, None)

    def _jumped(self, known: KnownPackets, first: int) -> Iterator[av.Packet]:
        """Packets from number `first` on by a seek, as long as each that comes is the one of the table."""
        number = None
        try:
            self._seek(int(known.pts[first]))
            for packet in self._demuxed(self._container, self.stream):
                if number is None:
                    number = known.number_of(packet.pts)
                if (
                    number is None
                    or number > first
                    or not known.fits(
                        number,
                        pts=packet.pts,
                        size=packet.size,
                        keyframe=packet.is_keyframe,
                        discard=packet.is_discard,
                    )
                ):
                    return
                if number == first:
                    first += 1
                    yield packet
                number += 1
        except FFmpegError:
            return

    def _seek(self, pts: int) -> None:
        self._container.seek(pts, stream=self.stream)

    def _table_of_file(self, state: FileState | None) -> FrameTable:
        """The table that was kept of the file as it is, or the one that its packets tell, which is then kept."""
        can_jump = any(name in self._container.format.name for name in INDEXED)
        if state is None or not can_jump or 0 in self.coded_size or file_state(self.path) != state:
            return self._read_table()
        stream = self.stream.index
        if (kept := read_table(self.path, state, stream=stream)) is None:
            table = self._read_table()
            if self._known is not None:
                keep_table(self.path, state, KeptTable(table=table, packets=self._known), stream=stream)
            return table
        self._known, self._pts = kept.packets, kept.packets.pts
        self.leaves_out = self.codec.name in LEAVES_OUT
        return kept.table

    def _read_table(self) -> FrameTable:
        packets = PacketList(pts=[], dts=[], keyframe=[], discard=[], corrupt=[])
        kept: list[av.Packet] | None = []
        sizes: list[int] = []
        size = 0
        try:
            for packet in self._demuxed(self._container, self.stream):
                packets.pts.append(packet.pts)
                packets.dts.append(packet.dts)
                packets.keyframe.append(packet.is_keyframe)
                packets.discard.append(packet.is_discard)
                packets.corrupt.append(packet.is_corrupt)
                sizes.append(packet.size)
                size += packet.size
                if size > KEPT_BYTES:
                    kept = None
                elif kept is not None:
                    kept.append(packet)
        except FFmpegError as error:
            self.cut_short = error.strerror
        self._kept = kept
        self._pts: list[int | None] | Int64[np.ndarray, "m"] = packets.pts
        if self.cut_short is not None or 0 in self.coded_size:
            return self._table_by_decoding(packets)
        if "avi" not in self._container.format.name or not self.codec.has_b_frames:
            ticks = trusted_ticks(packets)
            if ticks is not None:
                self.leaves_out = self.codec.name in LEAVES_OUT
                if len(packets) >= LEAST_PACKETS or kept is None:
                    self._known = known_packets(packets, sizes)
                return FrameTable(ticks=ticks, entry=entries(ticks, packets), by_order=False)
        elif self.codec.name != "mpeg4":  # MPEG-4 in AVI is packed: two frames in a packet, none in the next
            ticks = counted_ticks(packets)
            if ticks is not None:
                return FrameTable(ticks=ticks, entry=np.zeros(len(ticks), np.int64), by_order=True)
        return self._table_by_decoding(packets)

    def _average_rate(self) -> float:
        """Frames per second by the table; for a single frame what the header says, or 1."""
        duration = float(self.pts_seconds[-1] - self.pts_seconds[0])
        return (len(self) - 1) / duration if duration > 0 else float(self.stream.average_rate or 0) or 1.0

    def _clock_start(self) -> float:
        """The first presentation time of the file, as FFmpeg's `-ss` and players count from it.

        Sound that begins a little beside 0 s is moved by the lead-in of its encoder, not by what was recorded.
        """
        first = float(self.pts_seconds[0])
        start = self._container.start_time
        start = first if start is None else min(first, start / av.time_base)
        return 0.0 if start <= LEAD_IN_SECONDS and start < first >= 0 else start

    def watch(self) -> Damage:
        """To be shown the frames of one pass."""
        return Damage(self.table, self._pts)

    def renew_decoder(self) -> None:
        """Have a decoder that has decoded nothing yet: one that has met damage may carry its traces on."""
        if self.decoder_is_fresh:
            return
        container, stream = self._open()
        if self._decoding is not self._container:
            self._decoding.close()
        self._decoding, self.codec = container, stream.codec_context
        self.codec.thread_count = 1
        self.decoder_is_fresh, self.has_met_damage = True, False

    def decoded(self, first: int, *, needed: Container[int | None] | None = None) -> Iterator[av.VideoFrame]:
        """Frames in the order of showing, decoding from packet number `first` on.

        Of the frames whose ticks are not among `needed`, the decoder leaves out those that no other frame leans on;
        `left_out` tells whether there were any. Once `ending` is set, the frames that the decoder holds come, and no
        more packets are read.
        """
        self.codec.flush_buffers()
        self.codec.skip_frame = "DEFAULT"
        self.decoder_is_fresh = self.left_out = self.ending = False
        self.sent = first
        for packet in self._packets(first):
            if self.ending:
                break
            self.check_deadline()
            self.sent += 1
            if needed is not None:
                wanted = packet.pts in needed
                self.left_out = self.left_out or not wanted
                self.codec.skip_frame = "DEFAULT" if wanted else "NONREF"
            yield from self.codec.decode(packet)
        yield from self.codec.decode(None)

    def _table_by_decoding(self, packets: PacketList) -> FrameTable:
        pts: list[int | None] = []
        try:
            for frame in self.decoded(0):
                if not pts:
                    self.coded_size = (frame.height, frame.width)
                    self.orientation = orientation_of(frame)
                pts.append(frame.pts)
        except FFmpegError as error:
            self.cut_short = error.strerror
        if not pts:
            raise DecodeError(f"{self.path}: not one frame can be decoded ({self.cut_short or 'no pictures in it'})")
        seconds_per_frame = 1 / (float(self.stream.average_rate or 0) or 25.0)
        step = max(1, round(seconds_per_frame / (float(self.stream.time_base or 0) or 1.0)))
        ticks, own = decoded_ticks(pts, packets, step=step)
        entry = entries(ticks, packets) if own else np.zeros(len(ticks), np.int64)
        return FrameTable(ticks=ticks, entry=entry, by_order=not own)

    def end_words(self) -> str:
        return f" (decoding stops there: {self.cut_short})" if self.cut_short else ""


def known_packets(packets: PacketList, sizes: list[int]) -> KnownPackets:
    """What packets that all have a time are told by."""
    flags = KEYFRAME * np.array(packets.keyframe, np.uint8) + DISCARD * np.array(packets.discard, np.uint8)
    return KnownPackets(
        pts=np.array(packets.pts, np.int64),
        size=np.array(sizes, np.uint32),
        flags=flags.astype(np.uint8),
    )
