"""The loop itself, with a network so small that every number can be followed."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from timm.scheduler import CosineLRScheduler
from torch import nn

from vidtok.errors import TrainingError
from vidtok.train.log import Log
from vidtok.train.loop import Progress, seed_step, train
from vidtok.train.parallel import Parallel
from vidtok.types import Batch, Failure

ALONE = Parallel(device=torch.device("cpu"))


class Colour(nn.Module):
    """A linear layer on the mean colour."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x):
        return self.linear(self.dropout(x.float().mean((1, 3, 4)) / 255))


def batch(step, size=4, failures=()):
    generator = torch.Generator().manual_seed(step)
    views = torch.randint(0, 256, (size, 1, 2, 3, 4, 4), generator=generator, dtype=torch.uint8)
    views[: size // 2, :, :, 0] //= 4  # class 0 has little red
    labels = tuple((int(i >= size // 2),) for i in range(size))
    return Batch(views=views, labels=labels, indices=tuple(range(size)), video_ids=("",) * size, failures=failures)


def run(folder, batches, *, model=None, progress=None, rate=0.5, **options):
    model = model or Colour()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    schedule = CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False)
    log = Log(folder, steps=len(batches))
    progress = progress or Progress()
    settings = {"records": 10, "steps": len(batches), "save": lambda at: None, **options}
    try:
        ended = train(
            model, optimizer, schedule, batches=batches, progress=progress, parallel=ALONE, log=log, **settings
        )
    finally:
        log.close()
    return model, progress, ended


def events(folder, kind):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_it_learns_and_says_so(tmp_path):
    saved = []
    _, progress, ended = run(
        tmp_path,
        [batch(step) for step in range(60)],
        log_every=20,
        save_every=25,
        save=lambda at: saved.append(at.step),
    )
    assert ended
    assert progress.step == 60
    assert saved == [25, 50, 60]
    assert [e["step"] for e in events(tmp_path, "train")] == [20, 25, 40, 50, 60]
    losses = [e["loss"] for e in events(tmp_path, "train")]
    assert losses[-1] < 0.8 * losses[0]


def test_one_step_is_the_gradient_of_the_mean_loss(tmp_path):
    first, model, twin = batch(3), Colour(), Colour()
    start = model.linear.bias.detach().clone()
    twin.linear.bias.data.copy_(start)
    run(tmp_path, [first], model=model, clip_norm=None)
    nn.functional.cross_entropy(twin(first.views[:, 0]), torch.tensor([0, 0, 1, 1])).backward()
    assert torch.allclose(model.linear.weight, -0.5 * twin.linear.weight.grad, atol=1e-7)
    assert torch.allclose(model.linear.bias, start - 0.5 * twin.linear.bias.grad, atol=1e-7)


def test_the_norm_of_the_gradient_is_bounded(tmp_path):
    before = Colour()
    start = before.linear.bias.detach().clone()
    model, _, _ = run(tmp_path, [batch(3)], model=before, clip_norm=1e-3, rate=1.0)
    moved = torch.cat([model.linear.weight.flatten(), model.linear.bias - start])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_steps(tmp_path):
    saved = []
    model = Colour()

    def poison(at):
        saved.append(at.step)
        if at.step == 20:
            with torch.no_grad():
                model.linear.bias.fill_(float("nan"))

    with pytest.raises(TrainingError, match="between steps 21 and 30"):
        run(tmp_path, [batch(s) for s in range(40)], model=model, log_every=10, save_every=10, save=poison)
    assert saved == [10, 20]


def failures(*indices):
    return tuple(Failure(index=i, path=Path(f"v{i}.mp4"), cause=f"v{i}.mp4: cut off") for i in indices)


def test_failed_videos_are_skipped_counted_once_and_named(tmp_path, capsys):
    batches = [batch(0, size=3, failures=failures(7)), batch(1, size=0, failures=failures(7, 2)), batch(2)]
    model, progress, ended = run(tmp_path, batches, max_bad_fraction=0.2)
    assert ended
    assert progress.bad == {7: "v7.mp4: cut off", 2: "v2.mp4: cut off"}
    assert len(events(tmp_path, "bad_video")) == 2
    assert "v2.mp4: cut off" in capsys.readouterr().out
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())


def test_too_many_failed_videos_stop_the_run(tmp_path):
    batches = [batch(0, size=3, failures=failures(7)), batch(1, size=2, failures=failures(1, 2))]
    with pytest.raises(TrainingError, match=r"3 of 10 videos cannot be decoded.*max_bad_fraction=0.2"):
        run(tmp_path, batches, max_bad_fraction=0.2)


def test_a_signal_stops_after_the_step_with_a_checkpoint(tmp_path):
    saved = []

    def batches():
        for step in range(100):
            if step == 7:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch(step)

    handler = signal.getsignal(signal.SIGINT)
    stream = batches()
    model = Colour()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False)
    log = Log(tmp_path, steps=100)
    progress = Progress()
    ended = train(
        model,
        optimizer,
        schedule,
        batches=stream,
        records=10,
        progress=progress,
        steps=100,
        parallel=ALONE,
        log=log,
        save=lambda at: saved.append(at.step),
    )
    log.close()
    assert not ended
    assert progress.step == 8
    assert saved == [8]
    assert signal.getsignal(signal.SIGINT) is handler


def test_validation_comes_when_it_is_due(tmp_path):
    seen = []

    def validate(model):
        seen.append(model.linear.weight.detach().clone())
        return {"top1": 0.25}

    run(tmp_path, [batch(s) for s in range(10)], validate=validate, eval_every=4)
    assert [e["step"] for e in events(tmp_path, "val")] == [4, 8, 10]
    assert not torch.equal(seen[0], seen[1])


def test_dropout_follows_from_seed_step_and_rank():
    def draw(*key):
        seed_step(*key)
        return torch.rand(4)

    assert torch.equal(draw(1, 2, 0), draw(1, 2, 0))
    assert len({tuple(draw(*key).tolist()) for key in [(1, 2, 0), (1, 3, 0), (1, 2, 1), (2, 2, 0)]}) == 4
