from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from einops import rearrange

from tests.video.clips import RATES, numbered_picture, read_numbers
from vidtok.video.reader import open_video
from vidtok.video.write import write_timed_video, write_video


def numbered(count: int, size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    return torch.stack(
        [rearrange(torch.from_numpy(numbered_picture(i, size=size)), "y x c -> c y x") for i in range(count)]
    )


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
def test_every_picture_comes_back_in_order_at_its_time(tmp_path: Path, rate: Fraction):
    write_video(tmp_path / "out.mp4", numbered(40), fps=rate)
    with open_video(tmp_path / "out.mp4") as video:
        frames = video.frames_at(range(len(video)))
        assert read_numbers(frames.pixels.numpy()) == list(range(40))
        assert video.fps == pytest.approx(float(rate))
        assert frames.pts_seconds.tolist() == pytest.approx([i / float(rate) for i in range(40)])


def test_colours_come_back(tmp_path: Path):
    for colour in ((200, 40, 90), (10, 240, 30), (128, 128, 128), (20, 30, 240)):
        pictures = torch.tensor(colour, dtype=torch.uint8).reshape(1, 3, 1, 1).expand(9, 3, 48, 64)
        write_video(tmp_path / "out.mp4", pictures, fps=25, crf=1)
        with open_video(tmp_path / "out.mp4") as video:
            assert video.frames_at([4], short_side=24).pixels[0, :, 9, 9].tolist() == pytest.approx(colour, abs=2)


def test_the_file_is_what_browsers_play(tmp_path: Path):
    write_video(tmp_path / "out.mp4", numbered(10), fps=30, gop=5)
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    with av.open(str(tmp_path / "out.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.colorspace, codec.color_range) == ("h264", "yuv420p", 1, 1)
        assert [p.is_keyframe for p in container.demux(video=0) if p.size] == [i % 5 == 0 for i in range(10)]


def test_odd_sizes_are_padded_by_their_edge(tmp_path: Path):
    pictures = torch.zeros(3, 3, 33, 47, dtype=torch.uint8)
    pictures[:, :, :, -1] = 255
    write_video(tmp_path / "out.mp4", pictures, fps=30, crf=1)
    with open_video(tmp_path / "out.mp4") as video:
        assert video.size == (34, 48)
        pixels = video.frames_at([0]).pixels
    assert int(pixels[..., -1].min()) > 250
    assert int(pixels[..., :44].max()) < 5


def test_an_iterator_writes_the_same_bytes_as_a_tensor(tmp_path: Path):
    write_video(tmp_path / "a.mp4", numbered(12), fps=25)
    write_video(tmp_path / "b.mp4", iter(numbered(12)), fps=25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"before")

    def breaks():
        yield from numbered(3)
        raise KeyError("the source of pictures broke")

    with pytest.raises(KeyError):
        write_video(path, breaks(), fps=25)
    for wrong in ([], [*numbered(2), *numbered(1, size=(32, 96))]):
        with pytest.raises(ValueError, match=r"at least one picture|differ in size"):
            write_video(path, wrong, fps=25)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_with_times_of_their_own_come_back_at_them(tmp_path: Path):
    times = [0.0, 0.02, 0.021, 0.5, 0.5, 2.25]
    write_timed_video(tmp_path / "out.mp4", zip(times, numbered(6), strict=True), fps=30, crf=1)
    with open_video(tmp_path / "out.mp4") as video:
        frames = video.frames_at(range(len(video)))
        assert read_numbers(frames.pixels.numpy()) == list(range(6))
        assert frames.pts_seconds.tolist() == pytest.approx(times, abs=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4"]
