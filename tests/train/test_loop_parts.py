"""Steps in parts, mixed, scaled, averaged, with frozen statistics: each of them against the plain step."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.train.looping import LOSS, Colour, batch, events, run
from vidtok.data.mixing import Mixing
from vidtok.train.ema import Averages
from vidtok.train.loop import seed_dropout, step_seeds


def test_dropout_follows_from_seed_step_rank_and_part():
    def draw(*key):
        seed_dropout(step_seeds(*key))
        return torch.rand(4)

    assert torch.equal(draw(1, 2, 0), draw(1, 2, 0))
    assert torch.equal(draw(1, 2, 0), draw(1, 2, 0, 0))
    keys = [(1, 2, 0), (1, 3, 0), (1, 2, 1), (2, 2, 0), (1, 2, 0, 1)]
    assert len({tuple(draw(*key).tolist()) for key in keys}) == 5


@pytest.mark.parametrize("accumulate", [2, 3, 4, 7])
def test_parts_of_a_step_are_one_step(tmp_path, accumulate):
    # 7 parts of a batch of 5 clips: two of them are empty.
    torch.manual_seed(0)
    whole, parts = Colour().double(), Colour().double()
    parts.load_state_dict(whole.state_dict())
    for name, model, count in (("whole", whole, 1), ("parts", parts, accumulate)):
        run(tmp_path / name, [batch(step, size=5) for step in range(8)], model=model, accumulate=count, log_every=1)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
    losses = [[e["loss"] for e in events(tmp_path / name, "train")] for name in ("whole", "parts")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_each_part_draws_its_own_dropout(tmp_path):
    seen = []

    class Seeing(Colour):
        def forward(self, x):
            seen.append(torch.rand(3).tolist())
            return super().forward(x)

    run(tmp_path, [batch(0), batch(1)], model=Seeing(), accumulate=2)
    assert len({tuple(draw) for draw in seen}) == 4


def test_averages_are_kept_step_by_step_and_validated(tmp_path):
    torch.manual_seed(0)
    model = Colour()
    averages = Averages(model, decay=0.3)
    expected, trace, seen = model.linear.weight.detach().clone(), [], []

    def validate(trained):
        seen.append(trained.linear.weight.detach().clone())
        return {"top1": 0.5}

    run(
        tmp_path,
        [batch(s) for s in range(6)],
        model=model,
        averages=averages,
        validate=validate,
        eval_every=3,
        save_every=1,
        save=lambda at: trace.append(model.linear.weight.detach().clone()),
    )
    for n, weight in enumerate(trace, start=1):
        decay = min(0.3, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * weight
        if n == 3:
            assert torch.allclose(seen[0], expected, atol=1e-6)
    assert torch.allclose(seen[1], expected, atol=1e-6)
    assert not torch.allclose(expected, model.linear.weight)


def test_mixing_follows_from_the_step_and_changes_what_is_learned(tmp_path):
    def weights(name, **options):
        torch.manual_seed(0)
        return run(tmp_path / name, [batch(s) for s in range(4)], **options)[0].linear.weight

    mixing = Mixing(mixup_alpha=0.8)
    mixed, again, other = (weights(n, mixing=mixing, seed=seed) for n, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert torch.equal(mixed, again)
    assert not torch.equal(mixed, other)
    assert not torch.equal(mixed, weights("plain", seed=1))


def test_a_mixed_step_is_the_gradient_of_the_mixed_loss(tmp_path):
    first, model, twin = batch(3), Colour(), Colour()
    twin.load_state_dict(model.state_dict())
    mixing = Mixing(mixup_alpha=0.8)
    run(tmp_path, [first], model=model, clip_norm=None, mixing=mixing, seed=4)
    rng = np.random.default_rng(step_seeds(4, 0, 0).spawn(1)[0])
    views, targets = mixing(first.views[:, 0], LOSS.targets(first.labels, device="cpu"), rng)
    assert 0.02 < float(targets[0, 1]) < 0.98
    nn.functional.cross_entropy(twin(views), targets).backward()
    assert torch.allclose(model.linear.weight, -0.5 * twin.linear.weight.grad, atol=1e-7)


def test_a_scaled_loss_gives_the_same_step(tmp_path):
    torch.manual_seed(0)
    plain, scaled = Colour(), Colour()
    scaled.load_state_dict(plain.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
    batches = [batch(step) for step in range(5)]
    run(tmp_path / "plain", batches, model=plain)
    run(tmp_path / "scaled", batches, model=scaled, scaler=scaler)
    assert torch.allclose(plain.linear.weight, scaled.linear.weight, rtol=0, atol=1e-7)
    assert scaler.get_scale() == 2048.0


def test_a_step_whose_scaled_gradient_overflows_is_left_out(tmp_path):
    model = Colour()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.linear.bias.register_hook(lambda gradient: gradient * float("inf"))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    _, progress, _ = run(tmp_path, [batch(0)], model=model, scaler=scaler)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert scaler.get_scale() == 512.0
    assert progress.step == 1


def test_frozen_statistics_stay_even_behind_a_validation(tmp_path):
    class Normed(Colour):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.linear(self.norm(x.float().mean((1, 3, 4)) / 255))

    def validate(model):
        model.eval()
        model.train()  # as a test does that leaves a model as it was
        return {"top1": 0.5}

    def statistics(name, **options):
        model = Normed()
        run(tmp_path / name, [batch(s) for s in range(4)], model=model, validate=validate, eval_every=1, **options)
        return model.norm.running_mean

    assert torch.equal(statistics("frozen", frozen_statistics=True), torch.zeros(3))
    assert not torch.equal(statistics("moving"), torch.zeros(3))
