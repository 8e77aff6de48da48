"""All frames of a file in one forward pass, as the decoder gives them, before any conversion."""

from collections.abc import Iterator

import av
from av.error import FFmpegError

from vidtok.errors import DecodeError
from vidtok.video.packets import PacketReader


def every_frame(video: PacketReader, *, stop: int | None = None) -> Iterator[av.VideoFrame]:
    """The frames of the video's table, each once, in the order of showing; one is held at a time.

    Those before number `stop`, where it is given: what lies behind them is not read, nor has to be whole.

    Their own `pts` may be missing or wrong (AVI): frame i is shown at `video.pts_seconds[i]`. The video's
    `timeout_seconds` bounds the way from each frame to the next. At the end, its `damaged` names all frames that damage
    has spoiled.

    Raises DecodeError for a file that cannot be decoded to its end, which `PacketReader` opens all the same: it has the
    frames before the damage.
    """
    length = len(video)
    stop = length if stop is None else stop
    if video.cut_short is not None and stop == length:
        raise DecodeError(f"{video.path}: decoding stops after {length} frames: {video.cut_short}")
    index_of: dict[int | None, int] = {int(tick): index for index, tick in enumerate(video.table.ticks)}
    due = 0
    damage = video.watch()
    video.renew_deadline()
    with video.named_errors():
        try:
            for given, frame in enumerate(video.decoded(0)):
                at = given if video.table.by_order else index_of.get(frame.pts, -1)
                damage.see(at, is_corrupt=frame.is_corrupt, is_keyframe=frame.key_frame)
                if due == stop < length:  # what the decoder still holds tells of damage
                    continue
                if at > due:
                    break
                if at == due:
                    yield frame
                    due += 1
                    video.renew_deadline()
                    video.ending = due == stop < length
        except FFmpegError as error:
            if due == stop < length:
                return
            raise DecodeError(f"{video.path}: frame {due} of {length}: {error.strerror}") from error
    if due < stop:
        raise DecodeError(f"{video.path}: frame {due} of {length} did not come out of the decoder")
    video.damaged |= damage.spoiled(range(stop))
