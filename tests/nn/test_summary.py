"""Summaries of maps: each against its plain loops, and what the order of frames does to it."""

import itertools

import pytest
import torch

from vidtok.nn.summary import frame_means, map_statistics, motion_summary, time_statistics


def maps(t=4, h=5, w=6, d=3, b=2) -> torch.Tensor:
    return torch.randn(b, t, h, w, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_statistics_over_time_are_those_of_plain_loops():
    x = maps()
    frames = frame_means(x)
    got = time_statistics(frames)
    for b in range(2):
        for d in range(3):
            values = [float(x[b, t, :, :, d].mean()) for t in range(4)]
            mean = sum(values) / 4
            assert float(got[b, d]) == pytest.approx(mean)
            assert float(got[b, 3 + d]) == pytest.approx((sum((v - mean) ** 2 for v in values) / 4) ** 0.5)
            steps = [abs(late - early) for early, late in itertools.pairwise(values)]
            assert float(got[b, 6 + d]) == pytest.approx(sum(steps) / 3)


def test_map_statistics_are_those_of_plain_loops():
    x = maps()
    got = map_statistics(x)
    for b in range(2):
        for d in range(3):
            assert float(got[b, d]) == pytest.approx(float(x[b, ..., d].mean()))
            largest = max(
                abs(float(x[b, t + 1, y, z, d] - x[b, t, y, z, d]))
                for t in range(3)
                for y in range(5)
                for z in range(6)
            )
            assert float(got[b, 3 + d]) == pytest.approx(largest)


def naive_motion(x: torch.Tensor) -> torch.Tensor:
    """The formula of `motion_summary`, cell by cell."""
    batch, steps, height, width, _ = x.shape
    out = torch.zeros(batch, 4, 5, 5, dtype=x.dtype)
    for b in range(batch):
        m = x[b] - x[b].mean(dim=(0, 1, 2))
        m = m / m.norm(dim=-1, keepdim=True)
        for region, (top, left) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            rows = range((height + 1) // 2) if top == 0 else range(height // 2, height)
            columns = range((width + 1) // 2) if left == 0 else range(width // 2, width)
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    found = [
                        float(m[t, y, z] @ m[t + 1, y + dy, z + dx])
                        for t in range(steps - 1)
                        for y in rows
                        for z in columns
                        if 0 <= y + dy < height and 0 <= z + dx < width
                    ]
                    out[b, region, dy + 2, dx + 2] = sum(found) / len(found) if found else 0.0
    return out.flatten(1)


@pytest.mark.parametrize("shape", [(4, 5, 6), (2, 4, 4), (3, 1, 7)])
def test_motion_is_that_of_plain_loops(shape):
    x = maps(*shape)
    torch.testing.assert_close(motion_summary(x), naive_motion(x), rtol=1e-6, atol=1e-7)


def test_what_moves_right_is_found_on_the_right_and_backwards_on_the_left():
    texture = torch.randn(1, 6, 20, 8, generator=torch.Generator().manual_seed(1))
    clip = torch.stack([texture[:, :, 8 - t : 16 - t] for t in range(5)], dim=1)
    for x, dx in ((clip, 1), (clip.flip(1), -1)):
        grid = motion_summary(x).view(4, 5, 5)
        assert grid.flatten(1).argmax(dim=1).tolist() == [2 * 5 + 2 + dx] * 4


def test_one_frame_neither_moves_nor_changes():
    x = maps(t=1)
    assert motion_summary(x).tolist() == [[0.0] * 100] * 2
    assert not map_statistics(x)[:, 3:].any()
    assert not time_statistics(frame_means(x))[:, 3:].any()


@pytest.mark.parametrize("summary", [map_statistics, lambda x: time_statistics(frame_means(x))])
def test_these_do_not_see_the_direction_of_time(summary):
    x = maps()
    torch.testing.assert_close(summary(x), summary(x.flip(1)))
