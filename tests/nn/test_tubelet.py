import math

import numpy as np
import pytest
import torch

from vidtok.errors import ModelError
from vidtok.nn.tubelet import Tubelet, evenly_spaced, inflate, token_grid


def test_each_token_sees_its_own_tubelet_and_no_other():
    tubelet = (2, 3, 5)
    tokenizer = Tubelet(1, tubelet=tubelet, colours=1)
    torch.nn.init.ones_(tokenizer.projection.weight)
    x = torch.arange(4 * 6 * 10, dtype=torch.float32).reshape(1, 4, 1, 6, 10)
    got = tokenizer(x)
    assert got.shape == (1, 2, 2, 2, 1)
    for t, h, w in np.ndindex(2, 2, 2):
        block = x[0, 2 * t : 2 * t + 2, 0, 3 * h : 3 * h + 3, 5 * w : 5 * w + 5]
        assert got[0, t, h, w, 0].item() == block.sum().item()


def test_sizes_that_do_not_divide_say_what_would():
    with pytest.raises(ModelError, match="2 frames do not fill 9 frames; 8 or 10"):
        Tubelet(8)(torch.zeros(1, 9, 3, 32, 32))
    with pytest.raises(ModelError, match="16 columns do not fill 12 columns; 16 columns"):
        token_grid((2, 16, 12), (2, 16, 16))


@pytest.mark.parametrize(
    ("length", "count", "want"),
    [
        (11, 4, [2, 4, 7, 9]),
        (8, 3, [2, 4, 6]),
        (7, 1, [4]),
        (10, 3, [2, 5, 8]),
        (4, 4, [0, 1, 2, 3]),
        (3, 8, [0, 1, 2]),
    ],
)
def test_evenly_spaced(length, count, want):
    # 3.5 becomes 4 and 2.5 becomes 2: halves go to the even neighbour.
    assert evenly_spaced(length, count).tolist() == want


def test_sampled_frames_are_the_evenly_spaced_ones():
    x = torch.randn(2, 11, 3, 8, 8)
    tokenizer = Tubelet(4, tubelet=(1, 4, 4), sampled_frames=4)
    plain = Tubelet(4, tubelet=(1, 4, 4))
    plain.load_state_dict(tokenizer.state_dict())
    assert tokenizer.grid(11, 8, 8) == (4, 2, 2)
    torch.testing.assert_close(tokenizer(x), plain(x[:, [2, 4, 7, 9]]))


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_central_inflation_sees_the_frame_at_half(frames):
    kernel = torch.randn(5, 3, 4, 4)
    got = inflate(kernel, frames, how="central")
    assert torch.equal(got[:, :, frames // 2], kernel)
    assert not got[:, :, [i for i in range(frames) if i != frames // 2]].any()


def test_average_inflation_gives_a_still_clip_the_picture_s_token():
    kernel, picture = torch.randn(5, 3, 4, 4), torch.randn(3, 4, 4)
    tokenizer = Tubelet(5, tubelet=(3, 4, 4))
    with torch.no_grad():
        tokenizer.projection.weight.copy_(inflate(kernel, 3, how="average"))
    got = tokenizer(picture.expand(1, 3, 3, 4, 4))[0, 0, 0, 0]
    torch.testing.assert_close(got, (kernel * picture).sum(dim=(1, 2, 3)), rtol=1e-5, atol=1e-5)


def test_rank_pooling_inflation_follows_the_formula():
    t = 4
    harmonic = [sum(1 / j for j in range(1, i + 1)) for i in range(t + 1)]
    want = [(2 * (t - i + 1) - (t + 1) * (harmonic[t] - harmonic[i - 1])) / t for i in range(1, t + 1)]
    got = inflate(torch.ones(1, 1, 1, 1, dtype=torch.float64), t, how="average_arp").flatten().tolist()
    assert got == pytest.approx(want)
    assert math.isclose(sum(got), 0, abs_tol=1e-12)
    assert got[-1] > 0 > got[0]
