"""Frames as an encoder wants them."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from tests.video.clips import make_clip, numbered_picture, read_number
from tests.video.test_conformance import rotated
from vidtok.video.yuv import YuvPictures


def as_rgb(picture: av.VideoFrame) -> np.ndarray:
    return picture.to_ndarray(format="rgb24").transpose(2, 0, 1)


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("angle", [90, 180, -90])
def test_upright(tmp_path: Path, angle: int):
    frame = first_frame(rotated(tmp_path, rotation=angle))
    assert (frame.rotation - angle) % 360 == 0
    picture = YuvPictures((64, 96)).convert(frame)
    assert (picture.height, picture.width, picture.format.name) == (64, 96, "yuv420p")
    assert read_number(as_rgb(picture)) == 0
    assert (picture.colorspace, picture.color_range) == (frame.colorspace, frame.color_range)
    plain = as_rgb(frame.reformat(format="yuv420p"))
    assert np.array_equal(as_rgb(picture), np.rot90(plain, round(angle / 90), axes=(1, 2)))


def test_every_size_becomes_the_one(tmp_path: Path):
    pictures = YuvPictures((48, 72))
    for size in ((64, 96), (128, 192), (33, 47)):
        frame = av.VideoFrame.from_ndarray(numbered_picture(1234, size=size), format="rgb24")
        picture = pictures.convert(frame)
        assert (picture.height, picture.width) == (48, 72)
        if size != (33, 47):
            assert read_number(as_rgb(picture)) == 1234


@pytest.mark.parametrize(
    ("pix_fmt", "color_range"),
    [("gray", ColorRange.JPEG), ("yuvj420p", ColorRange.JPEG), ("rgb24", ColorRange.MPEG), ("rgb8", ColorRange.MPEG)],
)
def test_range(pix_fmt: str, color_range: ColorRange):
    white = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="rgb24")
    frame = white.reformat(format=pix_fmt, dst_color_range=ColorRange.JPEG if pix_fmt == "yuvj420p" else None)
    picture = YuvPictures((48, 64)).convert(frame)
    assert picture.color_range == color_range
    luma = np.asarray(picture.to_ndarray())[:48]
    assert abs(int(luma.min()) - (255 if color_range == ColorRange.JPEG else 235)) <= 2
    assert as_rgb(picture).min() >= 250


def test_what_needs_no_change_is_not_copied(tmp_path: Path):
    frame = first_frame(make_clip(tmp_path / "clip.mp4", frames=2))
    assert YuvPictures((64, 96)).convert(frame) is frame
