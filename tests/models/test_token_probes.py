"""Kinds of probes with attention: what each sees, what it is as wide as, and whether order tells it anything."""

import typing

import pytest
import torch

from vidtok.choices import TokenProbeKind
from vidtok.models.token_probes import BLOCKS, LEARNED, TOKEN_PROBES, WIDTH, make_probe
from vidtok.nn.reduce_tokens import Reduction

WIDE, CLASSES, STEPS = 48, 3, 5
FOUR = Reduction(form="cells", side=2)


@pytest.fixture(scope="module")
def probes():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = {kind: make_probe(kind, WIDE, grid=(STEPS, 4, 6), classes=CLASSES).eval() for kind in TOKEN_PROBES}
        for probe in made.values():  # a head of zeros would tell nothing
            torch.nn.init.normal_(probe.head.weight)
    return made


def test_every_kind_has_its_tokens():
    assert set(TOKEN_PROBES) == set(typing.get_args(TokenProbeKind))
    seen = {kind: (each.reduction, each.needs_grid) for kind, each in TOKEN_PROBES.items()}
    full = Reduction(form="full")
    assert seen == {"attentive": (FOUR, False), "token_learner": (full, True), "four_blocks": (FOUR, False)}


@pytest.mark.parametrize(("kind", "in_order"), [("attentive", True), ("token_learner", True), ("four_blocks", False)])
def test_a_probe_takes_what_is_kept_for_it(probes, kind, in_order):
    maps = torch.randn(2, STEPS, 4, 6, WIDE, generator=torch.Generator().manual_seed(1))
    kept = TOKEN_PROBES[kind].reduction(maps)
    tokens = kept.unflatten(2, (4, 6)) if TOKEN_PROBES[kind].needs_grid else kept
    with torch.no_grad():
        logits, turned = probes[kind](tokens), probes[kind](tokens.flip(1))
    assert logits.shape == (2, CLASSES)
    assert torch.allclose(logits, turned, atol=1e-4) is not in_order


def test_settings_are_fixed(probes):
    assert probes["attentive"].position.shape == (STEPS, WIDTH)
    assert probes["token_learner"].position.shape == (STEPS, LEARNED, WIDTH)
    assert len(probes["token_learner"].blocks) == 1
    assert len(probes["four_blocks"].pool.blocks) == BLOCKS - 1 == 3, "the block of the query is the fourth"


@pytest.mark.parametrize(("wide", "heads"), [(48, 16), (40, 10), (34, 2), (23, 1)])
def test_four_blocks_have_as_many_heads_as_divide_the_width_and_16_at_most(wide, heads):
    probe = make_probe("four_blocks", wide, grid=(2, 2, 2), classes=2)
    assert probe.pool.attend.heads == heads
    assert probe.pool.blocks[0].mixers[0].heads == heads
