import bisect

import numpy as np
import pytest
import torch

from vidtok.video.sample import (
    clip_indices,
    linspace_starts,
    no_part_words,
    part_frames,
    random_start,
    resample,
    span,
    spread,
)


def test_span():
    assert span(4, 3) == 10
    assert span(1, 7) == 1
    with pytest.raises(ValueError, match="count from 1"):
        span(0, 1)


def test_the_picture_in_the_docstring():
    assert linspace_starts(16, span(4, 3), 3) == [0, 3, 6]
    assert clip_indices(16, frames=4, stride=3, start=2).tolist() == [2, 5, 8, 11]
    assert clip_indices(16, frames=4, stride=3, start=6).tolist() == [6, 9, 12, 15]


@pytest.mark.parametrize(("length", "clip"), [(300, 64), (65, 64), (64, 64), (10, 64), (1, 1)])
def test_starts_lie_between_the_first_and_the_last_possible(length, clip):
    last = max(length - clip, 0)
    for clips in range(1, 12):
        starts = linspace_starts(length, clip, clips)
        assert len(starts) == clips
        if clips == 1:
            assert starts == [last // 2]
        else:
            assert starts == [int(x + 1e-9) for x in np.linspace(0, last, clips)]


def test_random_starts_cover_every_start_and_no_other():
    generator = np.random.default_rng(0)
    assert {random_start(70, 64, generator) for _ in range(300)} == set(range(7))
    assert {random_start(5, 64, generator) for _ in range(10)} == {0}


def test_random_starts_come_from_the_generator_alone():
    a, b = (np.random.default_rng(7) for _ in range(2))
    assert [random_start(1000, 64, a) for _ in range(9)] == [random_start(1000, 64, b) for _ in range(9)]


@pytest.mark.parametrize("length", [1, 3, 9, 10, 11, 40])
@pytest.mark.parametrize(("frames", "stride"), [(1, 1), (4, 3), (8, 1), (5, 7)])
def test_clips_against_plain_loops(length, frames, stride):
    for start in range(length):
        repeat, loop, position = [], [], start
        for _ in range(frames):
            repeat.append(position if position < length else length - 1)
            loop.append(position - length * (position // length))
            position += stride
        assert clip_indices(length, frames=frames, stride=stride, start=start).tolist() == repeat
        assert clip_indices(length, frames=frames, stride=stride, start=start, short="loop").tolist() == loop


def test_a_start_outside_the_video_is_an_error():
    for start in (-1, 10):
        with pytest.raises(ValueError, match=f"0 to 9, got {start}"):
            clip_indices(10, frames=2, stride=1, start=start)
    with pytest.raises(ValueError, match="clips"):
        linspace_starts(10, 4, 0)


def seconds(ticks, rate):
    return torch.tensor(ticks, dtype=torch.float64) / rate


@pytest.mark.parametrize("rate", [23.976, 25, 29.97, 30, 60])
@pytest.mark.parametrize("first", [0, 3_000_000])
def test_resampling_to_the_own_rate_changes_nothing(rate, first):
    pts = seconds(list(range(300)), rate) + first / 1000
    assert resample(pts, rate).tolist() == list(range(300))


def test_resampling_halves_and_doubles():
    pts = seconds(list(range(10)), 30)
    assert resample(pts, 15.0).tolist() == [0, 2, 4, 6, 8]
    assert resample(pts, 60.0).tolist() == [i // 2 for i in range(20)]


def test_clocks_of_whole_milliseconds_do_not_repeat_frames():
    pts = torch.tensor([round(i * 1000 / 30) for i in range(300)], dtype=torch.float64) / 1000
    assert resample(pts, 30.0).tolist() == list(range(300))


def test_resampling_against_a_plain_loop():
    generator = np.random.default_rng(0)
    for _ in range(50):
        pts = np.cumsum(generator.integers(5, 200, size=40)) / 1000
        fps = float(generator.uniform(3, 70))
        shown = (pts - pts[0]).tolist()
        end = shown[-1] + shown[-1] / 39
        expected, k = [], 0
        while k == 0 or k / fps < end - 0.000500001:
            expected.append(bisect.bisect_right(shown, k / fps + 0.000500001) - 1)
            k += 1
        assert resample(torch.from_numpy(pts), fps).tolist() == expected


def test_resampling_tiny_videos():
    assert resample(seconds([], 1), 25.0).tolist() == []
    assert resample(seconds([9], 1), 25.0).tolist() == [0]
    with pytest.raises(ValueError, match="above 0"):
        resample(seconds([0, 1], 1), 0.0)


def test_clips_at_a_target_rate():
    table = resample(seconds(list(range(100)), 50), 25.0)
    indices = table[clip_indices(len(table), frames=4, stride=3, start=2)]
    assert indices.tolist() == [4, 10, 16, 22]


def test_some_of_a_list_lie_evenly_in_it():
    assert spread(7, 4) == [0, 1, 3, 5]
    assert spread(3, 16) == [0, 1, 2]
    assert spread(0, 16) == []
    assert spread(1000, 4) == [0, 250, 500, 750]


def test_the_frames_of_a_part():
    shown = seconds(list(range(10)), 10) + 1
    for start, end, part in [
        (None, None, (0, 10)),
        (1.2, 1.5, (2, 5)),
        (1.2004, 1.5004, (2, 5)),  # half a millisecond later is still the same time
        (1.201, None, (3, 10)),
        (None, 1.501, (0, 6)),
        (5.0, 6.0, (10, 10)),
    ]:
        assert part_frames(shown, start_seconds=start, end_seconds=end) == part
    said = no_part_words(shown, start_seconds=None, end_seconds=0.5)
    assert said == "no frame is shown from 0 s to 0.5 s; its 10 frames are shown from 1 to 1.900 s"
    assert no_part_words(shown, start_seconds=5.0, end_seconds=None).startswith(
        "no frame is shown from 5 s to the end;"
    )


def test_a_clip_repeats_the_last_frame_where_nothing_is_said():
    assert clip_indices(4, frames=3, stride=2, start=1).tolist() == [1, 3, 3]
    for length, whole in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="length and span count from 1"):
            linspace_starts(length, whole, 1)
    with pytest.raises(ValueError, match="frames and stride count from 1, got 1 and 0"):
        span(1, 0)
