from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.video.clips import make_clip, numbered_picture, read_numbers, watch_decoder
from vidtok.data.transforms import crop_resize, random_box
from vidtok.errors import DecodeError
from vidtok.types import Box
from vidtok.video.crop import chroma_place, crops_exactly
from vidtok.video.orientation import Orientation
from vidtok.video.pyav import PyAVReader

WHOLE = Box(top=0, left=0, height=64, width=96)


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """Soft shapes in soft colours that move, and a step edge: what cameras see, more or less. RGB, (y, x, 3)."""
    y, x = np.mgrid[: size[0], : size[1]] / 24 + number / 5
    waves = np.stack([np.sin(y + k) * np.cos(0.7 * x - k) + 0.6 * np.sin(3.1 * x + 2.3 * y + k) for k in range(3)], -1)
    waves[size[0] // 3 :, size[1] // 2 :] *= -0.7
    return (128 + 60 * waves).clip(0, 255).astype(np.uint8)


def film(
    path: Path, *, size: tuple[int, int] = (120, 160), frames: int = 12, rotation: int = 0, **stream_options
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            stream_options.pop("codec", "libx264"),
            rate=Fraction(30),
            options=stream_options.pop("options", {"crf": "12"}),
        )
        stream.height, stream.width, stream.pix_fmt = *size, stream_options.pop("pix_fmt", "yuv420p")
        stream.codec_context.thread_count = 1
        for name, value in stream_options.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, size))))
        container.mux(stream.encode(None))
    return path


def size_change(folder: Path) -> Path:
    parts = [film(folder / "a.ts"), film(folder / "b.ts", size=(180, 240))]
    (folder / "clip.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    return folder / "clip.ts"


def clip(name: str, **options) -> Callable[[Path], Path]:
    return lambda folder: film(folder / name, **options)


# Largest mean difference from `crop_resize` on RGB in grey levels, largest bias, largest share of values off by over 8.
CASES: dict[str, tuple[Callable[[Path], Path], float, float, float]] = {
    "limited range": (clip("clip.mp4"), 2.6, 0.3, 0.05),
    "BT.709": (clip("clip.mp4", colorspace=1), 2.6, 0.3, 0.05),
    "full range": (clip("clip.mp4", codec="mjpeg", pix_fmt="yuvj420p", options={"q": "2"}), 2.6, 0.3, 0.05),
    "odd size": (clip("clip.mp4", size=(121, 163), pix_fmt="yuv444p"), 0.6, 0.3, 0.01),
    "4:2:2": (clip("clip.mp4", pix_fmt="yuv422p"), 2.6, 0.3, 0.05),
    "10 bits": (clip("clip.mp4", pix_fmt="yuv420p10le"), 2.0, 1.6, 0.05),
    "grey": (clip("clip.mp4", pix_fmt="gray"), 0.6, 0.3, 0.01),
    "RGB": (clip("clip.mkv", codec="ffv1", pix_fmt="bgr0", options={}), 0.6, 0.3, 0.01),
    "two fields": (clip("clip.mp4", options={"crf": "12", "x264-params": "tff=1"}), 2.6, 0.3, 0.05),
    **{f"rotated by {a}": (clip("clip.mp4", rotation=a), 2.6, 0.3, 0.05) for a in (90, 180, -90)},
    "size change": (size_change, 3.2, 0.5, 0.07),
    "AVI with B-frames": (clip("clip.avi", options={"bf": "2", "crf": "12"}), 2.6, 0.3, 0.05),
}


@pytest.mark.parametrize("case", CASES)
def test_crops_are_near_those_of_rgb_pictures(tmp_path: Path, case: str):
    make, mean, bias, share = CASES[case]
    rng = np.random.default_rng(0)
    with PyAVReader(make(tmp_path)) as video:
        y, x = video.size
        whole = video.frames_at(range(len(video)))
        boxes = [random_box(y, x, rng, scale=(0.08, 1.0), ratio=(0.75, 1.33), flip=True) for _ in range(12)]
        boxes.append(Box(top=0, left=0, height=y, width=x))
        clips = [(rng.integers(len(video), size=3).tolist(), box) for box in boxes]
        got = video.crops_at(clips, size=80)
    differences = []
    for (indices, box), frames in zip(clips, got, strict=True):
        assert torch.equal(frames.pts_seconds, whole.pts_seconds[indices])
        expected = crop_resize(whole.pixels[indices], box, size=80)
        differences.append(frames.pixels.double() - expected.double())
    worst = [
        max(float(d.abs().mean()) for d in differences),
        max(abs(float(d.mean())) for d in differences),
        max(float((d.abs() > 8).double().mean()) for d in differences),
    ]
    assert worst[0] < mean
    assert worst[1] < bias
    assert worst[2] < share


@pytest.mark.parametrize("size", [45, 96, 100, 120, 182])
def test_every_column_is_written(tmp_path: Path, size: int):
    with PyAVReader(film(tmp_path / "clip.mp4")) as video:
        whole = video.frames_at([3, 8])
        box = Box(top=4, left=6, height=96, width=130, flip=True)
        (got,) = video.crops_at([([3, 8], box)], size=size)
    difference = (got.pixels.double() - crop_resize(whole.pixels, box, size=size).double()).abs()
    assert float(difference.mean((0, 1, 2))[-20:].max()) < 6


def test_clips_come_in_the_order_asked_for_and_share_one_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "clip.mp4", options={"x264-params": "keyint=16:min-keyint=16:bframes=0:scenecut=0"})
    with PyAVReader(path) as video:
        assert video.size == (64, 96)
        decoded = watch_decoder(monkeypatch)
        clips = [([50, 2, 17, 2], WHOLE), ([17, 19], WHOLE), ([], WHOLE)]
        first, second, third = video.crops_at(clips, size=96)
        assert read_numbers(first.pixels.numpy()) == [50, 2, 17, 2]
        assert read_numbers(second.pixels.numpy()) == [17, 19]
        assert third.pixels.shape == (0, 3, 96, 96)
        assert first.pts_seconds.tolist() == [float(video.pts_seconds[i]) for i in (50, 2, 17, 2)]
        assert torch.equal(first.pixels[2], second.pixels[0])
        assert len(decoded) == 3 + 4 + 3
        assert video.crops_at([], size=96) == []


@pytest.mark.parametrize("size", [45, 48])
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_mirrored_clip_is_the_mirrored_clip(tmp_path: Path, rotation: int, size: int):
    box = {"top": 11, "left": 7, "height": 53, "width": 38}
    with PyAVReader(film(tmp_path / "clip.mp4", rotation=rotation)) as video:
        plain, mirrored = video.crops_at([([4, 0], Box(**box)), ([4, 0], Box(**box, flip=True))], size=size)
    assert torch.equal(plain.pixels.flip(3), mirrored.pixels)
    assert not torch.equal(plain.pixels, mirrored.pixels)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_boxes_are_boxes_of_the_upright_picture(tmp_path: Path, rotation: int):
    turned = np.ascontiguousarray(np.rot90(numbered_picture(2901), k=-rotation // 90))
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = turned.shape[:2]
        stream.set_display_rotation(rotation)
        for _ in range(9):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(turned)))
        container.mux(stream.encode(None))
    with PyAVReader(path) as video:
        assert video.size == (64, 96)
        (frames,) = video.crops_at([([0, 8], WHOLE)], size=96)
    assert read_numbers(frames.pixels.numpy()) == [2901, 2901]


def test_the_box_in_the_coded_picture():
    coded = torch.arange(7 * 11).reshape(1, 7, 11)
    for turns in range(4):
        upright = coded.rot90(turns, dims=(1, 2))
        box = Box(top=1, left=2, height=4, width=3)
        cut = Orientation(turns=turns).coded_box(box, size=(7, 11))
        inside = coded[:, cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
        assert torch.equal(inside.rot90(turns, dims=(1, 2)), upright[:, 1:5, 2:5])


def test_where_the_first_chroma_sample_stands():
    def place(pixel_format: str, top: int, left: int) -> dict[str, str]:
        return chroma_place(av.VideoFormat(pixel_format), Box(top=top, left=left, height=9, width=9))

    assert place("yuv444p", 1, 1) == place("gray", 1, 1) == place("rgb24", 1, 1) == {}
    assert place("yuv420p", 4, 3) == {"in_h_chr_pos": "-128", "in_v_chr_pos": "128"}
    assert place("yuv422p10le", 1, 2) == {"in_h_chr_pos": "128"}
    assert place("yuv411p", 1, 3) == {"in_h_chr_pos": "-384"}


def test_formats_that_the_filter_cannot_cut_anywhere():
    def exactly(name: str) -> bool:
        return crops_exactly(av.VideoFormat(name))

    assert all(exactly(name) for name in ("yuv420p", "yuvj422p", "yuva420p", "yuv444p10le", "gray", "rgb24", "pal8"))
    assert not any(exactly(name) for name in ("yuv420p10le", "nv12", "yuyv422"))


def test_a_box_can_be_drawn_when_the_first_frame_is_there(tmp_path: Path):
    """Once for each clip, in their order, by the size of the upright picture."""
    drawn = []

    def draw(picture: tuple[int, int]) -> Box:
        drawn.append(picture)
        return Box(top=len(drawn), left=0, height=20, width=20)

    with PyAVReader(film(tmp_path / "clip.mp4", rotation=90)) as video:
        first, second = video.crops_at([([5, 0], draw), ([3], draw)], size=16)
        boxes = [Box(top=top, left=0, height=20, width=20) for top in (1, 2)]
        expected = video.crops_at([([5, 0], boxes[0]), ([3], boxes[1])], size=16)
        assert drawn == [(160, 120)] * 2
        assert torch.equal(first.pixels, expected[0].pixels)
        assert torch.equal(second.pixels, expected[1].pixels)
        assert len(video.crops_at([([], draw)], size=16)[0]) == 0
        with pytest.raises(ValueError, match="not inside"):
            video.crops_at([([0], lambda picture: Box(top=0, left=0, height=160, width=121))], size=16)


def test_what_cannot_be_asked(tmp_path: Path):
    with PyAVReader(make_clip(tmp_path / "clip.mp4", frames=9)) as video:
        for wrong in ({"top": 1, "height": 64}, {"left": -1}, {"width": 97}, {"height": 0}):
            box = Box(**{"top": 0, "left": 0, "height": 64, "width": 96, **wrong})
            with pytest.raises(ValueError, match="not inside of a picture of 64 x 96"):
                video.crops_at([([0], WHOLE), ([0], box)], size=32)
        with pytest.raises(DecodeError, match=r"clip.mp4: has frames 0 to 8, asked for 9"):
            video.crops_at([([0], WHOLE), ([9], WHOLE)], size=32)
        video.timeout_seconds = 0.0
        with pytest.raises(DecodeError, match="not read within 0 s"):
            video.crops_at([([8], WHOLE)], size=32)
    with pytest.raises(RuntimeError, match="closed"):
        video.crops_at([([0], WHOLE)], size=32)
