"""Probes with attention on kept tokens: they learn, repeat bit by bit, leave others out, and serve every budget."""

import math

import pytest
import torch
from safetensors.torch import save_file

from vidtok.errors import DataError
from vidtok.nn.attentive_probe import AttentiveProbe, FrameOrderProbe
from vidtok.nn.token_probe import TokenLearnerProbe
from vidtok.train.attentive import Recipe, TokenFiles, attentive_logits, fit_attentive, rate_share
from vidtok.train.probe import one_hot

ROWS, STEPS, WIDTH = 80, 4, 6
SHORT = Recipe(epochs=40, batch=16, rate=2e-2)


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Clips whose class is whether a mark comes in the first or in the last frame."""
    x = 0.3 * torch.randn(ROWS, STEPS, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(ROWS) % 2
    x[torch.arange(ROWS), torch.where(labels == 0, 0, STEPS - 1), :, 0] += 4.0
    return x, one_hot([(int(k),) for k in labels], 2)


def order_probe():
    return FrameOrderProbe(WIDTH, classes=2, frames=STEPS, width=8, heads=2)


def right(logits, targets) -> float:
    return float((logits.argmax(1) == targets.argmax(1)).double().mean())


def test_positions_of_frames_tell_early_from_late_and_no_positions_do_not():
    x, targets = data()
    train, rest = list(range(64)), list(range(64, ROWS))
    probe = fit_attentive(order_probe, lambda rows: x[list(rows)], targets, train, recipe=SHORT)
    assert not probe.training
    logits = attentive_logits(probe, lambda rows: x[list(rows)], rest, batch=5)
    assert logits.dtype == torch.float64
    torch.testing.assert_close(logits, probe(x[rest]).double(), rtol=1e-4, atol=1e-5)
    assert right(logits, targets[rest]) == 1.0
    backwards = attentive_logits(probe, lambda rows: x[list(rows)].flip(1), rest)
    assert right(backwards, targets[rest]) == 0.0
    without = fit_attentive(
        lambda: AttentiveProbe(WIDTH, classes=2, heads=2, depth=1), lambda rows: x[list(rows)], targets, train,
        recipe=SHORT,
    )  # fmt: skip
    assert right(attentive_logits(without, lambda rows: x[list(rows)], rest), targets[rest]) < 1.0


def test_equal_seeds_give_equal_bits_and_other_rows_are_not_looked_at():
    x, targets = data()
    seen = []

    def tokens(rows):
        seen.extend(rows)
        return x[list(rows)]

    def fitted(seed):
        torch.manual_seed(99)
        before = torch.random.get_rng_state()
        probe = fit_attentive(order_probe, tokens, targets, range(3, 13), recipe=Recipe(epochs=2, batch=4), seed=seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        return torch.cat([p.flatten() for p in probe.parameters()])

    first = fitted(0)
    assert torch.equal(fitted(0), first)
    assert not torch.equal(fitted(1), first)
    assert sorted(seen) == sorted(list(range(3, 13)) * 6), "each row once an epoch"


def test_nested_budgets_are_drawn_and_one_probe_serves_them(monkeypatch):
    x, targets = data()
    drawn = []
    forward = TokenLearnerProbe.forward

    def noted(self, x, *, tokens=None):
        drawn.append(tokens)
        return forward(self, x, tokens=tokens)

    monkeypatch.setattr(TokenLearnerProbe, "forward", noted)
    grid = lambda rows: x[list(rows)].unflatten(2, (2, 2))  # noqa: E731
    probe = fit_attentive(
        lambda: TokenLearnerProbe(WIDTH, classes=2, frames=STEPS, tokens=4, width=8, heads=2), grid, targets,
        range(24), recipe=Recipe(epochs=30, batch=8, rate=1e-2), budgets=(1, 2, 4),
    )  # fmt: skip
    assert set(drawn) == {1, 2, 4}
    drawn.clear()
    for budget in (1, 4):
        assert right(attentive_logits(probe, grid, range(24), budget=budget), targets[:24]) > 0.9
    attentive_logits(probe, grid, [0])
    assert set(drawn) == {1, 4, None}


def test_few_videos_are_passed_over_more_often():
    recipe = Recipe(epochs=20, batch=16, least_steps=300)
    assert [recipe.epochs_of(videos) for videos in (12, 17, 240, 1000)] == [300, 150, 20, 20]
    assert Recipe(epochs=3).epochs_of(1) == 3


def test_the_rate_rises_over_a_tenth_and_falls_to_nothing():
    assert [rate_share(step, 20) for step in (0, 1, 2, 11)] == [0.5, 1.0, 1.0, pytest.approx(0.5)]
    assert rate_share(19, 20) == pytest.approx(0.5 * (1 + math.cos(math.pi * 17 / 18)))
    assert rate_share(0, 1) == 1.0


def test_files_give_tokens_as_they_were_kept(tmp_path):
    kept = [torch.arange(24.0).view(2, 6, 2).half() + k for k in range(3)]
    paths = []
    for k, tokens in enumerate([*kept, torch.zeros(1, 6, 2).half()]):
        paths.append(tmp_path / f"{k}.safetensors")
        save_file({"tokens": tokens}, paths[-1])
    assert torch.equal(TokenFiles(paths)([2, 0]), torch.stack([kept[2], kept[0]]).float())
    grid = TokenFiles(paths, grid=(3, 2), order=(1, 0))([1])
    assert grid.shape == (1, 2, 3, 2, 2)
    assert torch.equal(grid[0, 0].flatten(0, 1), kept[1][1].float())
    with pytest.raises(
        DataError, match=r"3\.safetensors: tokens of shape \(1, 6, 2\), .*0\.safetensors has \(2, 6, 2\)"
    ):
        TokenFiles(paths)([0, 3])
