from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import VideoReformatter
from torch.nn.functional import interpolate

from tests.video.clips import make_clip
from vidtok.types import Box
from vidtok.video.reader import open_video
from vidtok.video.rgb import RgbPictures, scaled_size


def flat(y_u_v: tuple[int, int, int], *, format: str = "yuv420p", range_: int = 0, matrix: int = 2) -> av.VideoFrame:
    """A picture of one colour; range_ 1 limited, 2 full; matrix 1 BT.709, 5 BT.601, 2 not stated."""
    frame = av.VideoFrame(32, 24, format)
    for plane, value in zip(frame.planes, y_u_v, strict=False):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.color_range, frame.colorspace = range_, matrix
    return frame


def formula(y_u_v: tuple[int, int, int], *, full: bool, red: float, blue: float) -> list[float]:
    """ITU-R BT.601 and BT.709 in float: `red` and `blue` are the weights of luma."""
    luma = y_u_v[0] / 255 if full else (y_u_v[0] - 16) / 219
    cb, cr = ((value - 128) / (255 if full else 224) for value in y_u_v[1:])
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return [255 * min(max(x, 0), 1) for x in (r, (luma - red * r - blue * b) / (1 - red - blue), b)]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("range_", "full"), [(0, False), (1, False), (2, True)])
@pytest.mark.parametrize(("matrix", "red", "blue"), [(2, 0.299, 0.114), (5, 0.299, 0.114), (1, 0.2126, 0.0722)])
def test_colour_follows_the_matrix_and_range_of_the_file(scaled, range_, full, matrix, red, blue):
    colour = (120, 110, 150)
    size = (12, 16) if scaled else (24, 32)
    pictures = RgbPictures(1, size=size, scaled=scaled, reformatter=VideoReformatter())
    pictures.put(0, flat(colour, range_=range_, matrix=matrix))
    got = pictures.upright()[0, :, 5, 5].tolist()
    expected = formula(colour, full=full, red=red, blue=blue)
    assert got == pytest.approx(expected, abs=1.0 if scaled else 3.0)


def test_scaled_sizes():
    assert scaled_size((240, 320), None) == (240, 320)
    assert scaled_size((240, 320), 224) == (224, 298)
    assert scaled_size((320, 240), 224) == (298, 224)
    assert scaled_size((240, 320), 1) == (1, 1)
    assert scaled_size((1, 1), 3) == (3, 3)
    with pytest.raises(ValueError, match="short_side"):
        scaled_size((240, 320), 0)


def test_only_pictures_at_their_own_size_keep_a_part():
    """Of the others the box would be in pixels that nobody sees."""
    box = Box(top=3, left=5, height=8, width=6)
    frame = av.VideoFrame.from_ndarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    pictures = RgbPictures(1, size=(24, 32), scaled=False, reformatter=VideoReformatter(), box=box)
    pictures.put(0, frame)
    assert np.array_equal(pictures.upright()[0].permute(1, 2, 0).numpy(), frame.to_ndarray()[3:11, 5:11])
    RgbPictures(1, size=(12, 16), scaled=True, reformatter=VideoReformatter())
    with pytest.raises(ValueError, match="a box is kept of pictures at their own size"):
        RgbPictures(1, size=(12, 16), scaled=True, reformatter=VideoReformatter(), box=box)


def test_scaling_is_antialiased_bilinear(tmp_path: Path):
    clip = make_clip(tmp_path / "clip.mp4", frames=8, size=(240, 320), options={"crf": "10"})
    with open_video(clip) as video:
        whole = video.frames_at([3]).pixels.double()
        scaled = video.frames_at([3], short_side=100).pixels.double()
    expected = interpolate(whole, size=(100, 133), mode="bilinear", antialias=True)
    assert scaled.shape == (1, 3, 100, 133)
    difference = (scaled - expected).abs()
    # The quick converter at full size is about one level dark; aliasing would differ by tens at every edge.
    assert float(difference.mean()) < 2.5
    aliased = interpolate(whole, size=(100, 133), mode="nearest")
    assert float((aliased - expected).abs().mean()) > 2 * float(difference.mean())


def test_rows_are_independent_and_complete():
    generator = np.random.default_rng(0)
    reformatter = VideoReformatter()
    for size, scaled in (((24, 32), False), ((13, 17), True)):
        pictures = RgbPictures(3, size=size, scaled=scaled, reformatter=reformatter)
        frames = [av.VideoFrame.from_ndarray(generator.integers(0, 256, (24, 32, 3), np.uint8)) for _ in range(3)]
        for row in (2, 0, 1):
            pictures.put(row, frames[row])
        got = pictures.upright()
        for row, frame in enumerate(frames):
            alone = RgbPictures(1, size=size, scaled=scaled, reformatter=reformatter)
            alone.put(0, frame)
            assert torch.equal(got[row], alone.upright()[0])
        if not scaled:
            assert np.array_equal(got[1].permute(1, 2, 0).numpy(), frames[1].to_ndarray())


def test_planar_conversion_is_whole_to_the_last_column():
    """Of a frame that has the wanted size already, among others that are scaled; 340 is no multiple of 32."""
    picture = np.random.default_rng(0).integers(60, 200, (64, 85, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    frame = av.VideoFrame.from_ndarray(picture).reformat(format="yuv420p")
    pictures = RgbPictures(1, size=(256, 340), scaled=True, reformatter=VideoReformatter())
    pictures.put(0, frame)
    difference = (pictures.upright()[0].permute(1, 2, 0).double() - torch.from_numpy(picture).double()).abs()
    assert float(difference[1::4, 1::4].mean()) < 15
    assert float(difference[:, -4:].mean()) < 1.3 * float(difference[:, :-4].mean())
