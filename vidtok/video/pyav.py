"""The backend that always works: PyAV, which carries its own FFmpeg."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import av
import torch
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.types import Box, Frames
from vidtok.video.crop import CropPictures
from vidtok.video.graph import WholePictures
from vidtok.video.orientation import UPRIGHT
from vidtok.video.packets import PacketReader
from vidtok.video.rgb import EXACT, RgbPictures, scaled_size

DrawBox = Callable[[tuple[int, int]], Box]
"""A box in a picture of so many rows and columns."""


class PyAVReader(PacketReader):
    """An open video, one decoder thread (worker processes are the parallelism). See `VideoReader`.

    Pictures are 8-bit RGB: colour matrix and range as the file says (BT.601, limited range where it is silent; grey
    pictures count as full range, as in FFmpeg), transparency dropped, pixels taken as square, fields not separated.
    The display matrix is applied, as the nearest of the eight ways to turn by quarters and to mirror. Pictures whose
    size changes in mid-stream are scaled to the first size.
    """

    def __init__(self, path: str | Path, *, timeout_seconds: float = 30.0):
        super().__init__(path, timeout_seconds=timeout_seconds)
        self._reformatter = VideoReformatter()
        self._whole_pictures = WholePictures()

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a picture, upright, which only a frame tells: the first question decodes one."""
        if self.orientation is None:
            next(self._frames(self.begin([0])))
        return (self.orientation or UPRIGHT).size(self.coded_size)

    def frames_at(
        self, indices: Sequence[int], *, short_side: int | None = None, within: DrawBox | None = None
    ) -> Frames:
        """Pictures at these indices, decoded in one forward pass over the frames that are wanted.

        The pass jumps to a later keyframe where frames between two wanted ones are not needed, and converts only the
        wanted ones to RGB, scaling them on the way (antialiased bilinear filter). The long side is rounded down.
        `pixels` is contiguous in the order `f c y x` when scaled, `f y x c` when not. Of pictures that are not scaled,
        `within` keeps a box (its `flip` does not count) and saves the copying of the rest; the function is called once,
        with the picture's rows and columns, when the first frame is there.

        Raises DecodeError for a frame that is not in the table or does not come out of the decoder, and after
        `timeout_seconds`; RuntimeError once closed, and in a process other than the one that opened the video;
        ValueError for a box that is not inside the picture, and for one together with `short_side`.
        """
        wanted = self.begin(indices, end=self.end_words())
        if within is not None and short_side is not None:
            raise ValueError("a box is kept of pictures at their own size: leave short_side or within out")
        pictures = None
        for row, frame in self._frames(wanted):
            if pictures is None:
                box = None if within is None else self._coded(self._box(within))
                pictures = self._pictures(len(wanted), short_side=short_side, box=box)
            with self.named_errors():
                pictures.put(row, frame)
            del frame
        pictures = pictures or self._pictures(0, short_side=short_side)
        return self.in_order(indices, pictures.upright(), wanted)

    def each_at(
        self, indices: Sequence[int], *, short_side: int | None = None
    ) -> Iterator[tuple[int, UInt8[Tensor, "c y x"]]]:
        """The pictures of `frames_at` one at a time, each with its index: by rising index, without repeats.

        A picture's memory is the next one's too. One that has come already comes again where a first attempt to jump
        misled, and then only the later one is right. Raises as `frames_at` does.
        """
        wanted = self.begin(indices, end=self.end_words())
        pictures = None
        for row, frame in self._frames(wanted):
            pictures = pictures or self._pictures(1, short_side=short_side)
            with self.named_errors():
                pictures.put(0, frame)
            del frame
            yield wanted[row], pictures.upright()[0]

    def crops_at(
        self, clips: Sequence[tuple[Sequence[int], Box | DrawBox]], *, size: int | tuple[int, int]
    ) -> list[Frames]:
        """Clips of `size`, each with its own box of the upright picture, by one decode for all.

        `size` is rows and columns in pixels, or one number for both. Cropped, scaled and mirrored as YUV, before RGB,
        which differs from cropping RGB by a few grey levels (see `CropPictures`); a frame is converted only for the
        clips that want it. A box may be drawn by a function of the picture's rows and columns, which is called once,
        clip by clip, when the first frame is there: asking for the reader's `size` before decodes a frame more.

        Raises as `frames_at` does; ValueError for a box that is not inside the picture.
        """
        wanted = self.begin([index for indices, _ in clips for index in indices], end=self.end_words())
        each = [sorted(set(indices)) for indices, _ in clips]
        pictures: list[CropPictures] = []
        places: dict[int, list[tuple[int, int]]] = {index: [] for index in wanted}
        for number, own in enumerate(each):
            for row, index in enumerate(own):
                places[index].append((number, row))
        for row, frame in self._frames(wanted):
            if not pictures:
                boxes = [self._box(box) for _, box in clips]
                pictures = [
                    CropPictures(len(own), box=box, size=size, orientation=self.orientation or UPRIGHT)
                    for own, box in zip(each, boxes, strict=True)
                ]
            y, x = self.coded_size
            with self.named_errors():
                same = self._reformatter.reformat(frame, width=x, height=y, interpolation=EXACT, threads=1)
                for number, place in places[wanted[row]]:
                    pictures[number].put(place, same)
            del frame, same
        nothing = torch.empty((0, 3, *((size, size) if isinstance(size, int) else size)), dtype=torch.uint8)
        pixels = [filled.upright() for filled in pictures] or [nothing] * len(clips)
        return [
            self.in_order(indices, own_pixels, own)
            for (indices, _), own_pixels, own in zip(clips, pixels, each, strict=True)
        ]

    def _pictures(self, count: int, *, short_side: int | None, box: Box | None = None) -> RgbPictures:
        """Places for so many pictures; the first frame must have come, which settles their size."""
        size = scaled_size(self.coded_size, short_side)
        scaled = size != self.coded_size
        return RgbPictures(
            count,
            size=size,
            scaled=scaled,
            reformatter=self._reformatter,
            orientation=self.orientation or UPRIGHT,
            box=box,
        )

    def _coded(self, box: Box) -> Box:
        return (self.orientation or UPRIGHT).coded_box(box, size=self.coded_size)

    def _box(self, box: Box | DrawBox) -> Box:
        y, x = self.size
        box = box if isinstance(box, Box) else box((y, x))
        if not (0 <= box.top < box.top + box.height <= y and 0 <= box.left < box.left + box.width <= x):
            raise ValueError(f"{box} is not inside of a picture of {y} x {x}")
        return box

    def _frames(self, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Each frame of `wanted` with its place there. One that comes again, from a second pass, is the right one.

        The way from the start, which leaves nothing out, with a decoder that has decoded nothing else, is what every
        picture is held to. Shortcuts give the same where there is no damage; where they meet some, they are not taken.
        """
        with self.named_errors():
            if self.has_met_damage:
                self.renew_decoder()
            missing = None if self.is_silent else (yield from self._pass(wanted, shortcuts=True))
            if self.is_silent or missing is not None:
                self.renew_decoder()
                missing = yield from self._pass(wanted, shortcuts=False)
        if missing is not None:
            raise DecodeError(f"{self.path}: frame {missing} of {len(self)} did not come out of the decoder")

    def _pass(self, wanted: list[int], *, shortcuts: bool) -> Generator[tuple[int, av.VideoFrame], None, int | None]:
        """One forward pass; the first wanted frame that did not come, or is not sure to be the right one; or None.

        After a jump, a picture counts only once the decoder itself has given a keyframe that it does not call corrupt:
        what containers flag as keyframe can be the begin of a gradual refresh, and not lead to whole pictures.
        """
        index_of = self.table.index_of
        needed = {int(self.table.ticks[index]) for index in wanted} if shortcuts and self.leaves_out else None
        frames: Iterator[av.VideoFrame] = iter(())
        damage, given, begin, is_whole_way, whole = self.watch(), 0, 0, True, True

        def ended() -> bool:
            """Look at what the decoder still holds, and note what is spoiled; whether all is as the whole way gives it.

            A frame that is shown before a damaged one may lean on it.
            """
            self.ending = True
            try:
                if self.codec.has_b_frames:
                    for late, frame in enumerate(frames, given):
                        at = late if self.table.by_order else index_of(frame.pts)
                        damage.see(at, is_corrupt=frame.is_corrupt, is_keyframe=frame.key_frame)
            except FFmpegError:
                self.has_met_damage = True
                return is_whole_way and not self.left_out
            self.has_met_damage |= bool(damage)
            if damage and not (is_whole_way and not self.left_out):
                return False
            self.damaged |= damage.spoiled(wanted[begin:row])
            return True

        for row, index in enumerate(wanted):
            entry = int(self.table.entry[index]) if shortcuts else 0
            if row == 0 or entry > self.sent:
                if row and not ended():
                    return wanted[row - 1]
                is_whole_way = self.decoder_is_fresh and entry == 0
                frames, damage = self.decoded(entry, needed=needed), self.watch()
                given, begin, whole = 0, row, entry == 0
            try:
                for frame in frames:
                    at = given if self.table.by_order else index_of(frame.pts)
                    if given == 0:
                        self.settle(frame)
                    given += 1
                    is_corrupt, is_keyframe = frame.is_corrupt, frame.key_frame
                    damage.see(at, is_corrupt=is_corrupt, is_keyframe=is_keyframe)
                    self.has_met_damage |= is_corrupt
                    whole = whole or (is_keyframe and not is_corrupt)
                    if at >= index:
                        break
                    del frame
                else:
                    return index
            except FFmpegError as error:
                self.has_met_damage = True
                if shortcuts:
                    return index
                raise DecodeError(f"{self.path}: frame {index} of {len(self)}: {error.strerror}") from error
            if at > index or not whole or (damage and not (is_whole_way and not self.left_out)):
                return index
            yield row, self._whole_pictures(frame)
            del frame  # what a silent decoder leaves of a picture depends on which memory is free
        row = len(wanted)
        return None if ended() else wanted[-1]
