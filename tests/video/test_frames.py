from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.video.clips import make_clip
from vidtok.errors import DecodeError
from vidtok.video.frames import FramesReader, natural_order, pictures_in
from vidtok.video.reader import open_video


def picture(level: int, size: tuple[int, int] = (4, 6)) -> Image.Image:
    return Image.fromarray(np.full((*size, 3), level, np.uint8))


def test_numbers_within_names_count_by_value():
    names = ["img_10.jpg", "img_2.jpg", "a.jpg", "2.jpg", "10.jpg", "img_002b.jpg", "img_1.png"]
    expected = ["2.jpg", "10.jpg", "a.jpg", "img_1.png", "img_2.jpg", "img_002b.jpg", "img_10.jpg"]
    assert sorted(names, key=natural_order) == expected


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tiff", ".ppm", ".webp", ".jpg", ".jpeg"])
def test_any_format_that_pillow_knows(tmp_path: Path, suffix: str):
    for number in (0, 1, 2, 10, 11):
        picture(number * 20).save(tmp_path / f"frame{number}{suffix}")
    (tmp_path / "labels.txt").write_text("no picture")
    (tmp_path / f".hidden{suffix}").write_bytes(b"")
    (tmp_path / f"folder{suffix}").mkdir()
    with FramesReader(tmp_path) as video:
        assert len(video) == 5
        assert video.size == (4, 6)
        assert video.fps == 25.0
        assert video.pts_seconds.tolist() == [i / 25 for i in range(5)]
        levels = video.frames_at([4, 3, 0]).pixels.double().mean((1, 2, 3)).tolist()
    assert levels == pytest.approx([220, 200, 0], abs=1)


def test_the_rate_is_the_callers(tmp_path: Path):
    picture(3).save(tmp_path / "0.png")
    picture(4).save(tmp_path / "1.png")
    with open_video(tmp_path, backend="frames", fps=24) as video:
        assert video.fps == 24
        assert video.frames_at([1]).pts_seconds.tolist() == [1 / 24]
    with pytest.raises(ValueError, match="above 0, got 0"):
        FramesReader(tmp_path, fps=0)
    with pytest.raises(ValueError, match=r"fps=24 is for pictures, .*clip\.mp4 is a video"):
        open_video(make_clip(tmp_path / "clip.mp4", frames=9), fps=24)


@pytest.mark.parametrize("backend", ["pyav", "torchcodec", "decord", "frames"])
def test_pictures_are_read_as_pictures_whatever_the_backend(tmp_path: Path, backend: str):
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        picture(number * 20).save(tmp_path / "pictures" / f"{number}.PNG")
    with open_video(tmp_path / "pictures", backend=backend, fps=10) as video:
        assert isinstance(video, FramesReader)
        assert video.pts_seconds.tolist() == [0.0, 0.1, 0.2]
        assert video.frames_at([2]).pixels.unique().tolist() == [40]
    with open_video(tmp_path / "pictures" / "[0-1]*", backend=backend) as video:
        assert len(video) == 2
    with open_video(tmp_path / "pictures" / "1.PNG", backend=backend) as video:
        assert isinstance(video, FramesReader)
        assert (len(video), video.fps) == (1, 25.0)


def test_a_video_among_pictures_is_none_of_them(tmp_path: Path):
    picture(3).save(tmp_path / "0.png")
    make_clip(tmp_path / "1.mpg", codec="mpeg2video", fps=Fraction(25), frames=9)
    assert pictures_in(tmp_path) == [tmp_path / "0.png"]
    with open_video(tmp_path / "1.mpg") as video:
        assert len(video) == 9


def test_a_single_picture_is_a_video_of_one_frame(tmp_path: Path):
    picture(77).save(tmp_path / "one.png")
    with FramesReader(tmp_path / "one.png") as video:
        assert len(video) == 1
        assert video.frames_at([0, 0], short_side=8).pixels.shape == (2, 3, 8, 12)


def test_other_sizes_are_scaled_to_the_first(tmp_path: Path):
    picture(10).save(tmp_path / "0.png")
    picture(90, (8, 8)).save(tmp_path / "1.png")
    with FramesReader(tmp_path) as video:
        pixels = video.frames_at([1, 0]).pixels
    assert torch.equal(pixels[:, 0, 0, 0], torch.tensor([90, 10], dtype=torch.uint8))
    assert pixels.shape == (2, 3, 4, 6)


def test_modes_other_than_rgb(tmp_path: Path):
    deep = np.full((4, 6), 0x7FFF, np.uint16)
    made = {
        "16 bits": Image.fromarray(deep),
        "grey": picture(127).convert("L"),
        "palette": picture(127).convert("P", palette=Image.Palette.ADAPTIVE),
        "alpha": picture(127).convert("RGBA"),
    }
    for name, image in made.items():
        image.save(tmp_path / f"{name}.png")
        with FramesReader(tmp_path / f"{name}.png") as video:
            assert video.frames_at([0]).pixels.unique().tolist() == [127], name


def test_pictures_are_turned_as_their_exif_data_ask(tmp_path: Path):
    array = np.zeros((4, 6, 3), np.uint8)
    array[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    with FramesReader(tmp_path) as video:
        assert video.size == (6, 4)
        assert video.frames_at([0]).pixels[0, 0].argwhere().tolist() == [[0, 3]]


def test_what_is_no_picture_is_named(tmp_path: Path):
    with pytest.raises(DecodeError, match=rf"{tmp_path}: has no pictures"):
        FramesReader(tmp_path)
    with pytest.raises(DecodeError, match=r"gone: No such file"):
        FramesReader(tmp_path / "gone")
    picture(5, (64, 64)).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes()[:60])
    (tmp_path / "2.png").write_text("text")
    assert len(pictures_in(tmp_path)) == 3
    with FramesReader(tmp_path) as video:
        for index in (1, 2):
            with pytest.raises(DecodeError, match=rf"{index}\.png: \w+"):
                video.frames_at([index])
