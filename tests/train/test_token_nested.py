"""Probes with attention over folds: none learns from what it is asked about, controls are asked of the same probe."""

import pytest
import torch

from tests.train.test_nested import videos
from vidtok.nn.attentive_probe import FrameOrderProbe
from vidtok.train.attentive import Recipe
from vidtok.train.token_nested import left_out_token_logits

RECIPE = Recipe(epochs=60, batch=16, rate=2e-2)


def make() -> FrameOrderProbe:
    return FrameOrderProbe(4, classes=2, frames=3, width=8, heads=2)


def tokens_of(own, seed: int = 0) -> torch.Tensor:
    """Noise, and in the first frame or in the last a sign: which of them it is tells the class."""
    x = torch.randn(len(own.labels), 3, 1, 4, generator=torch.Generator().manual_seed(seed)) / 4
    for row, (k,) in enumerate(own.labels):
        x[row, 2 * k, 0, 0] += 4.0
    return x


def test_a_fold_s_own_rows_do_not_teach_and_reversed_clips_get_the_opposite():
    own = videos(48)
    x = tokens_of(own)
    rows = torch.tensor(own.folds) == 1
    other = x.clone()
    other[rows] = tokens_of(own, seed=4)[rows]
    ways = {"plain": lambda rows: x[list(rows)], "reversed": lambda rows: x[list(rows)].flip(1)}
    found = left_out_token_logits(make, ways, own, kind="softmax", recipe=RECIPE)
    right = own.targets.argmax(1)
    assert (found["plain"].argmax(1) == right).double().mean() > 0.9
    assert (found["reversed"].argmax(1) != right).double().mean() > 0.75
    changed = left_out_token_logits(
        make,
        {"plain": lambda rows: x[list(rows)], "other": lambda rows: other[list(rows)]},
        own,
        kind="softmax",
        recipe=RECIPE,
    )
    assert torch.equal(changed["plain"], found["plain"])
    assert not torch.equal(changed["other"][rows], changed["plain"][rows])
    alone = left_out_token_logits(make, {"plain": lambda rows: other[list(rows)]}, own, kind="softmax", recipe=RECIPE)
    assert torch.equal(alone["plain"][rows], changed["other"][rows]), "the probe of a fold has not seen its rows"


def test_a_share_learns_from_part_of_the_rows():
    own, asked = videos(), []
    x = tokens_of(own)

    def noted(rows):
        asked.append(len(rows))
        return x[list(rows)]

    recipe = Recipe(epochs=1, batch=100)
    left_out_token_logits(make, {"plain": noted}, own, kind="softmax", recipe=recipe)
    whole, asked[:] = list(asked), []
    shares = []
    left_out_token_logits(make, {"plain": noted}, own, kind="softmax", recipe=recipe, share=2, said=shares.append)
    assert whole == [16, 8] * 3
    assert asked == [8, 8] * 3
    assert shares == pytest.approx([1 / 3, 2 / 3, 1]), "a step for each fold"
    long = Recipe(epochs=2, batch=8)
    shares.clear()
    left_out_token_logits(make, {"plain": noted}, own, kind="softmax", recipe=long, said=shares.append)
    assert shares == pytest.approx([step / 12 for step in range(1, 13)]), "two epochs of two steps, three folds"
