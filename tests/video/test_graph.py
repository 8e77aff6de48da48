import av
import numpy as np

from vidtok.video.graph import FilterChain, WholePictures


def noise(seed: int) -> av.VideoFrame:
    picture = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    return av.VideoFrame.from_ndarray(picture).reformat(format="yuv420p")


def planes(frame: av.VideoFrame) -> list[bytes]:
    return [bytes(plane) for plane in frame.planes]


def test_filters_run_one_behind_the_other():
    chain = FilterChain(noise(0), ("crop", {"w": "8", "h": "6", "x": "4", "y": "2"}), ("hflip", {}))
    for seed in (0, 1):
        frame = noise(seed)
        expected = frame.to_ndarray()[2:8, 4:12][:, ::-1]
        assert np.array_equal(chain(frame).to_ndarray()[:6], expected)


def test_two_fields_become_one_picture():
    whole = WholePictures()
    plain = noise(0)
    assert whole(plain) is plain
    flagged = FilterChain(plain, ("setfield", {"mode": "tff"}))(plain)
    assert flagged.interlaced_frame
    for _ in range(2):
        mended = whole(flagged)
        assert not mended.interlaced_frame
        assert planes(mended) == planes(flagged)
    assert flagged.interlaced_frame
