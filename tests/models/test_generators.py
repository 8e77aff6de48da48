"""Building and loading leave every random generator as it was."""

import random

import numpy as np
import pytest
import torch

from vidtok.models.create import create_model
from vidtok.models.generators import untouched_generators

SMALL = {"width": 24, "depth": 1, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 32}


def states():
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return (
        random.getstate(),
        tuple(np.random.get_state()[1]),
        torch.get_rng_state().tolist(),
        [s.tolist() for s in cuda],
    )


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_what_is_drawn_inside_is_not_drawn_outside():
    before = states()
    with untouched_generators():
        first = draw()
        assert states() != before
    assert states() == before
    assert draw() == first


def test_they_come_back_after_an_error():
    before = states()
    with pytest.raises(ZeroDivisionError), untouched_generators(3):
        _ = draw()[0] / 0
    assert states() == before


def test_a_seed_is_torchs_and_makes_the_same_numbers_as_ever():
    with untouched_generators(7):
        inside = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), inside)
    before = draw()
    with untouched_generators():
        again = torch.rand(3)
    with untouched_generators():
        assert torch.equal(torch.rand(3), again)
    assert draw() != before


@pytest.mark.gpu
def test_the_generators_of_a_gpu_stay():
    torch.rand(1, device="cuda")
    before = states()
    with untouched_generators(3):
        torch.rand(1, device="cuda")
        torch.manual_seed(5)
    assert states() == before


def test_a_model_of_a_seed_and_one_of_weights_draw_nothing(tmp_path):
    before = states()
    one = create_model("vivit", classes=2, seed=3, **SMALL)
    assert states() == before
    one.save_pretrained(tmp_path)
    torch.save(one.network.state_dict(), tmp_path / "network.pth")
    before = states()
    for source in (tmp_path, tmp_path / "model.safetensors", tmp_path / "network.pth"):
        create_model("vivit", classes=3, weights=source, **SMALL)
        assert states() == before
    other = create_model("vivit", classes=2, seed=3, **SMALL)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_new_weights_without_a_seed_are_drawn_as_in_any_module():
    torch.manual_seed(3)
    one = create_model("vivit", classes=2, **SMALL)
    two = create_model("vivit", classes=2, **SMALL)
    assert not torch.equal(one.network.tokenizer.projection.weight, two.network.tokenizer.projection.weight)
    torch.manual_seed(3)
    again = create_model("vivit", classes=2, **SMALL)
    assert torch.equal(one.network.tokenizer.projection.weight, again.network.tokenizer.projection.weight)
