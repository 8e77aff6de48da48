"""Multi-axis attention beyond the contract: small windows, the layout of windows, strict sizes."""

import pytest
import torch

from tests.references.multi_axis import naive
from vidtok.errors import ModelError
from vidtok.nn.mixers import make_mixer
from vidtok.nn.mixers.multi_axis import MultiAxis


def mixer(**options):
    torch.manual_seed(0)
    layer = MultiAxis(8, heads=2, **options).double()
    with torch.no_grad():
        layer.bias.normal_()
    return layer


def tokens(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("partition", ["block", "grid"])
@pytest.mark.parametrize("window", [(2, 2, 2), (1, 3, 2), (3, 2, 4)])
@pytest.mark.parametrize("grid", [(2, 4, 6), (3, 5, 3), (1, 3, 5)])
def test_small_windows_equal_the_loops(grid, window, partition):
    layer, x = mixer(window=window, partition=partition), tokens(1, *grid, 8)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), naive(layer, x), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(layer.attention_map(x)[1], layer(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("partition", ["block", "grid"])
def test_windows_hold_neighbours_or_tokens_from_everywhere(partition):
    layer = mixer(window=(1, 2, 2), partition=partition)
    number = torch.arange(16, dtype=torch.float64).view(1, 1, 4, 4, 1)
    windows, seen = layer.windows(number)
    first = {"block": [0, 1, 4, 5], "grid": [0, 2, 8, 10]}[partition]
    assert windows[0, :, 0].tolist() == first
    assert seen is None
    assert sorted(windows.flatten().tolist()) == list(range(16))
    torch.testing.assert_close(layer.grid(windows, number), number, rtol=0, atol=0)


@pytest.mark.parametrize("partition", ["block", "grid"])
def test_tokens_that_fill_the_grid_up_are_not_seen(partition):
    layer = mixer(window=(2, 4, 4), partition=partition)
    windows, seen = layer.windows(tokens(1, 3, 5, 6, 8))
    assert seen is not None
    assert int(seen.sum()) == 3 * 5 * 6
    assert bool((windows[~seen] == 0).all())


@pytest.mark.parametrize("partition", ["block", "grid"])
def test_one_time_step_is_the_image_form(partition):
    image, clip = mixer(window=(1, 2, 3), partition=partition), mixer(window=(3, 2, 3), partition=partition)
    with torch.no_grad():
        image.load_state_dict(clip.state_dict() | {"bias": clip.bias[:, 2:3]})
    x = tokens(2, 1, 4, 6, 8)
    torch.testing.assert_close(clip(x), image(x), rtol=1e-12, atol=1e-12)


def test_strict_windows_that_do_not_divide_fail_when_the_network_is_built():
    spec = {"name": "multi_axis", "window": (2, 7, 7), "strict": True}
    make_mixer(8, heads=2, spec=spec, grid=(8, 14, 14))
    with pytest.raises(ModelError, match=r"14 rows.*windows of 5 \(these do: 1, 2, 7, 14\).*strict=false"):
        make_mixer(8, heads=2, spec={**spec, "window": (2, 5, 7)}, grid=(8, 14, 14))
    make_mixer(8, heads=2, spec={**spec, "window": (2, 5, 7), "strict": False}, grid=(8, 14, 14))


def test_strict_windows_that_do_not_divide_fail_on_another_clip():
    with pytest.raises(ModelError, match="3 time steps"):
        mixer(window=(2, 2, 2), strict=True)(tokens(1, 3, 4, 4, 8))


@pytest.mark.parametrize("options", [{"window": (0, 7, 7)}, {"heads": 3}])
def test_impossible_sizes_are_refused(options):
    with pytest.raises(ModelError, match=r"\d"):
        MultiAxis(8, **{"heads": 2, **options})
