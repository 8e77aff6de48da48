"""Time steps one by one: every network that says that it can gives what it gives for the whole clip."""

import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.models.networks import ALL, APART, AROUND, LEARNED, LIBRARIES, OWN, SIZES, SPACE, clip_of, filled
from vidtok.errors import ModelError
from vidtok.models import network_class
from vidtok.models.network import Network
from vidtok.models.steps import in_order, join, per_step
from vidtok.models.vivit import ViViT
from vidtok.nn.token_learner import TokenLearnerOptions

CAN = {
    "vivit, steps apart",
    "vivit, steps apart by sines",
    "vivit, TokenFuser and steps apart",
    "factorised",
    "factorised, mean over time",
    "factorised, TokenLearner",
    "encoder",
    "encoder, frozen",
    "encoder, norms and two blocks trained",
    "encoder_probe, attentive",
    "encoder_probe, token_learner",
    "encoder_probe, four_blocks",
    "encoder_vivit",
    "encoder_vivit, steps apart",
}


@pytest.mark.parametrize("name", [*OWN, *AROUND])
def test_a_network_computes_its_time_steps_one_by_one_or_says_why_not(name):
    network = filled(name)
    clip, own = clip_of(network), network.step_frames
    if name not in CAN:
        reason = network.why_whole()
        assert reason
        for ask in (lambda: per_step(network, clip), lambda: join(network, (clip,))):
            with pytest.raises(ModelError, match=f"cannot be computed one by one: {re.escape(reason)}"):
                ask()
        return
    assert network.why_whole() is None
    with torch.no_grad():
        parts = [per_step(network, clip[:, i : i + own]) for i in range(0, clip.shape[1], own)]
        assert len(parts) == network.grid[0] > 1
        torch.testing.assert_close(join(network, in_order(parts)), network(clip), rtol=0, atol=1e-5)
        assert all(
            torch.allclose(a, b, atol=1e-5) for a, b in zip(in_order(parts), per_step(network, clip), strict=True)
        )
        # A step is the same wherever it stands in a window, and the order of steps is the joint part's affair.
        turned = join(network, in_order(parts[::-1]))
        wanted = network(clip.unflatten(1, (-1, own)).flip(1).flatten(1, 2))
        torch.testing.assert_close(turned, wanted, rtol=0, atol=1e-5)
    with pytest.raises(ModelError, match=f"clips of {network.grid[0]} time steps, got"):
        join(network, parts[0])
    for wrong in (clip[:, :0], clip[..., :-1], clip[0], clip.to(torch.uint8)):
        with pytest.raises(ModelError, match=f"takes time steps of {own} normalised frame"):
            per_step(network, wrong)
    if own > 1:
        with pytest.raises(ModelError, match=f"takes time steps of {own} normalised frames"):
            per_step(network, clip[:, :1])


def test_networks_of_libraries_take_whole_clips():
    for name in LIBRARIES:
        cls = network_class(name.split()[0])
        assert (cls.why_whole, cls.steps) == (Network.why_whole, Network.steps)


def test_frames_that_are_picked_out_of_a_clip_keep_it_whole():
    for make in (ViViT, ALL["factorised"]().__class__):
        options = {"mixer": SPACE, "token_learner": LEARNED, "position": "learned_separable"}
        network = make(**{**SIZES, **options, "tubelet": (1, 8, 8), "sampled_frames": 2})
        assert network.why_whole() == "it picks frames out of a whole clip: leave `sampled_frames` out"


def multiply_adds(ask) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ask()
    return counter.get_total_flops()


def test_a_new_time_step_of_a_vivit_b_costs_less_than_a_fourth_of_its_clip():
    with torch.device("meta"):
        learner = TokenLearnerOptions(after_block=3, tokens=8)
        network = ViViT(classes=400, mixer=SPACE, token_learner=learner, position="learned_separable").eval()
        clip = torch.empty(1, 32, 3, 224, 224)
        kept = per_step(network, clip)
        assert kept[0].shape == (1, 16, 8, 768)
        whole = multiply_adds(lambda: network(clip))
        step = multiply_adds(
            lambda: join(network, in_order([tuple(x[:, 1:] for x in kept), per_step(network, clip[:, :2])]))
        )
    assert whole > 5 * step


def test_sines_and_a_learner_in_front_of_all_blocks_leave_the_tokenizer_to_each_step():
    network = ViViT(**APART, position="sincos_separable").eval()
    assert per_step(network, clip_of(network)[:, :2])[0].shape == (2, 1, 3, 12)
