"""The loop itself, with a network so small that every number can be followed."""

import math
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.train.looping import ALONE, LOSS, Colour, batch, events, run
from tests.train.terminal import terminal
from vidtok.data.mixing import Mixing
from vidtok.errors import NotFiniteError, TrainingError
from vidtok.train.ema import Averages
from vidtok.train.log import Log
from vidtok.train.loop import train
from vidtok.train.parallel import Parallel
from vidtok.train.state import Progress
from vidtok.types import Damaged


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

    with pytest.raises(NotFiniteError, match="the loss became nan between steps 21 and 30"):
        run(tmp_path, [batch(s) for s in range(40)], model=model, log_every=10, save_every=10, save=poison)
    assert saved == [10, 20]


class Jumping(torch.optim.SGD):
    """Steps of any size, of which the last is too large for a float."""

    def __init__(self, *args, at, **options):
        super().__init__(*args, **options)
        self.at, self.count = at, 0

    def step(self, closure=None):
        self.count += 1
        if self.count == self.at:
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.data.add_(float("inf"))


@pytest.mark.parametrize("due", ["save_every", "eval_every"])
def test_weights_that_are_not_finite_are_neither_validated_nor_saved(tmp_path, due):
    # The loss of the step was finite: only the weights tell.
    seen, model, progress = [], Colour(), Progress()
    optimizer = Jumping(model.parameters(), at=4, lr=0.1)
    log = Log(tmp_path, steps=50)
    with pytest.raises(NotFiniteError, match=r"after step 4 the weight linear\.weight is not finite"):
        train(
            model,
            optimizer,
            CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False),
            loss=LOSS,
            batches=[batch(step) for step in range(50)],
            records=10,
            progress=progress,
            steps=50,
            parallel=ALONE,
            log=log,
            save=lambda at: seen.append(at.step),
            validate=lambda model: seen.append(progress.step) or {"top1": 0.5},
            keep_best=lambda at: None,
            **{"log_every": 100, "save_every": 100, due: 2},
        )
    log.close()
    assert seen == [2]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", ["adamw", "momentum", "lamb", "lion", "adafactor", "muon"])
def test_a_rate_beyond_all_measure_never_leaves_a_checkpoint_that_is_not_finite(tmp_path, name, precision):
    torch.manual_seed(0)
    model = Colour()
    optimizer = create_optimizer_v2(list(model.parameters()), opt=name, lr=1e38)
    log, saved = Log(tmp_path, steps=30), []
    with pytest.raises(NotFiniteError):
        train(
            model,
            optimizer,
            CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False),
            loss=LOSS,
            batches=[batch(step) for step in range(30)],
            records=10,
            progress=Progress(),
            steps=30,
            parallel=ALONE,
            log=log,
            save=lambda at: saved.append(all(bool(p.isfinite().all()) for p in model.parameters())),
            clip_norm=None,
            precision=precision,
            save_every=1,
        )
    log.close()
    assert all(saved)


def test_a_gradient_that_overflows_for_ever_ends_the_run(tmp_path):
    model = Colour()
    model.linear.bias.register_hook(lambda gradient: gradient * float("inf"))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-20)
    with pytest.raises(NotFiniteError, match="no step has been made for long"):
        run(tmp_path, [batch(0) for _ in range(20)], model=model, scaler=scaler, log_every=10)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_batch_norm_with_a_single_value_is_told_in_words(tmp_path, accumulate):
    class Normed(Colour):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.linear(self.norm(x.float().mean((1, 3, 4)) / 255))

    with pytest.raises(
        TrainingError, match=r"a batch norm of this network has a single value .* 1 clip of 2 frames"
    ) as e:
        run(tmp_path, [batch(0, size=accumulate)], model=Normed(), accumulate=accumulate)
    assert "4 x 4 pixels" in str(e.value)
    assert "`batch`" in str(e.value)


def test_training_ends_early_when_no_validation_is_better(tmp_path, capsys):
    def stopped(name, figures, *, progress=None, **options):
        stream, saved = iter(figures), []
        _, progress, ended = run(
            tmp_path / name,
            [batch(step) for step in range(20)],
            progress=progress or Progress(),
            validate=lambda model: {"top1": next(stream)},
            eval_every=2,
            save_every=100,
            save=lambda at: saved.append(at.step),
            **options,
        )
        assert ended
        return progress.step, saved

    assert stopped("a", [0.1, 0.5, 0.5, 0.6, 0.6, 0.2, 0.4], patience=3) == (14, [14])
    assert "training ends early, at step 14 of 20: 3 validations have not been better" in capsys.readouterr().out
    (event,) = events(tmp_path / "a", "stopped_early")
    assert (event["step"], "than top1 0.600 at step 8" in event["text"]) == (14, True)
    assert stopped("b", [0.1] * 10) == (20, [20])
    assert stopped("c", [0.1 * step for step in range(10)], patience=1) == (20, [20])
    ended = Progress(step=14, best={"step": 8, "top1": 0.6}, stale=3)
    assert stopped("d", [], progress=ended, patience=3) == (14, [])  # the same command again


def test_what_is_validated_is_saved_after_it_and_the_best_is_kept(tmp_path):
    order, figures = [], iter([0.25, 0.5, 0.5, 0.75])
    progress = Progress()
    run(
        tmp_path,
        [batch(step) for step in range(8)],
        progress=progress,
        save_every=2,
        eval_every=2,
        save=lambda at: order.append(("save", at.step, dict(at.best))),
        validate=lambda model: {"top1": next(figures)},
        keep_best=lambda at: order.append(("best", at.step)),
    )
    assert order == [
        ("best", 2),
        ("save", 2, {"step": 2, "top1": 0.25}),
        ("best", 4),
        ("save", 4, {"step": 4, "top1": 0.5}),
        ("save", 6, {"step": 4, "top1": 0.5}),
        ("best", 8),
        ("save", 8, {"step": 8, "top1": 0.75}),
    ]


def test_validation_comes_when_it_is_due(tmp_path):
    seen = []

    def validate(model):
        seen.append(model.linear.weight.detach().clone())
        return {"top1": 0.25}

    run(tmp_path, [batch(s) for s in range(10)], validate=validate, eval_every=4)
    assert [e["step"] for e in events(tmp_path, "val")] == [4, 8, 10]
    assert not torch.equal(seen[0], seen[1])


def test_a_loss_that_rises_far_above_chance_is_told_once(tmp_path, capsys):
    # Gradients of a rate far too high throw the weights from side to side.
    torch.manual_seed(0)
    shuffled = [batch(step) for step in range(20)]
    for one in shuffled[1::2]:
        object.__setattr__(one, "labels", tuple((1 - label,) for (label,) in one.labels))
    run(tmp_path, shuffled, rate=500.0, clip_norm=None, log_every=1)
    (warning,) = events(tmp_path, "warning")
    assert "lower `lr`" in warning["text"]
    assert f"({math.log(2):.3g})" in warning["text"]
    assert "warning: the loss is" in capsys.readouterr().out


class Slow(list):
    """Batches that take their time."""

    def __iter__(self):
        for one in super().__iter__():
            time.sleep(0.02)
            yield one


@pytest.mark.parametrize(("kind", "told"), [(Slow, 1), (list, 0)])
def test_a_run_that_waits_for_its_data_is_told_so(tmp_path, kind, told):
    run(tmp_path, kind(batch(step) for step in range(40)), log_every=10)
    lines = [event["text"] for event in events(tmp_path, "input_bound")]
    assert len(lines) == told
    assert all("of the time waits for data; raise `workers`" in line for line in lines)


def test_videos_with_damaged_frames_are_named_once(tmp_path):
    spoiled = Damaged(index=2, path=Path("a.mp4"), frames=3)
    batches = [batch(0), replace(batch(1), damaged=(spoiled,)), replace(batch(2), damaged=(spoiled,))]
    run(tmp_path, batches, log_every=100)
    assert [(e["path"], e["frames"], e["step"]) for e in events(tmp_path, "damaged_video")] == [("a.mp4", 3, 1)]


class Readings(TorchDispatchMode):
    """Counts how often a value of a tensor is asked for, which on a GPU waits for all that it has to do."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_a_step_without_a_line_reads_nothing_back(tmp_path, monkeypatch):
    found, lists = [], []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: (lists.append(self), tolist(self))[1])
    for steps in (1, 9):
        lists.clear()
        with Readings() as readings:
            run(tmp_path / str(steps), [batch(step) for step in range(steps)], log_every=100)
        found.append((readings.count, len(lists)))
    assert found[0][0] > 0  # the loss of the one line
    assert found[1] == found[0]


def test_what_was_waited_for_counts_for_its_line_alone(tmp_path):
    waits = [0.0, 0.03, 0.0, 0.05, 0.0, 0.0]

    class Uneven(list):
        def __iter__(self):
            for one, seconds in zip(super().__iter__(), waits, strict=True):
                time.sleep(seconds)
                yield one

    run(tmp_path, Uneven(batch(step) for step in range(6)), log_every=2)
    seconds = [8 * event["waiting"] / event["clips_per_second"] for event in events(tmp_path, "train")]
    assert seconds == pytest.approx([0.03, 0.05, 0.0], abs=0.01)


def test_the_bar_moves_with_every_step(tmp_path, monkeypatch):
    class Slower(Colour):
        def forward(self, x):
            time.sleep(0.11)  # the bar is drawn ten times a second at most
            return super().forward(x)

    with terminal(monkeypatch) as end:
        run(tmp_path, [batch(step) for step in range(6)], model=Slower(), log_every=100)
        shown = end()
    assert all(f"{step}/6" in shown for step in range(1, 7))


def test_the_log_has_rates_and_gradient_norms_before_clipping(tmp_path):
    first, model, twin = batch(3), Colour(), Colour()
    twin.load_state_dict(model.state_dict())
    run(tmp_path, [first], model=model, clip_norm=1e-3, rate=0.25)
    nn.functional.cross_entropy(twin(first.views[:, 0]), torch.tensor([0, 0, 1, 1])).backward()
    norm = torch.cat([p.grad.flatten() for p in twin.parameters()]).norm().item()
    (event,) = events(tmp_path, "train")
    assert event["gradient_norm"] == pytest.approx(norm, rel=1e-5)
    assert event["gradient_norms"] == {"no_decay": event["gradient_norm"]}
    assert event["rates"] == {"no_decay": 0.25}


def test_the_first_clips_are_shown_as_the_network_gets_them(tmp_path):
    shown, seen = [], []

    class Seeing(Colour):
        def forward(self, x):
            seen.append(x.clone())
            return super().forward(x)

    run(
        tmp_path,
        [batch(s) for s in range(3)],
        model=Seeing(),
        mixing=Mixing(mixup_alpha=0.8),
        show=lambda views, targets: shown.append((views, targets)),
    )
    ((views, targets),) = shown
    assert torch.equal(views, seen[0])
    assert not torch.equal(views, batch(0).views[:, 0])
    assert 0 < float(targets[0, 1]) < 1


def test_each_part_of_a_step_has_its_name(tmp_path):
    entered = []

    @contextmanager
    def span(name):
        entered.append(name)
        yield

    torch.manual_seed(0)
    plain, timed = Colour(), Colour()
    timed.load_state_dict(plain.state_dict())
    options = {"mixing": Mixing(mixup_alpha=0.8), "accumulate": 2, "log_every": 2}
    batches = [batch(s) for s in range(2)]
    run(tmp_path / "plain", batches, model=plain, averages=Averages(plain, decay=0.5), **options)
    run(tmp_path / "timed", batches, model=timed, averages=Averages(timed, decay=0.5), span=span, **options)
    step = ["wait for data", "to device", "mixing", *["forward", "loss", "backward"] * 2, "optimizer", "averages"]
    assert entered == [*step, *step, "log"]
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), timed.parameters(), strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_on_a_gpu(tmp_path, precision):
    model = Colour().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, fused=True)
    log = Log(tmp_path, steps=40)
    train(
        model,
        optimizer,
        CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False),
        loss=LOSS,
        batches=[batch(step) for step in range(40)],
        records=10,
        progress=Progress(),
        steps=40,
        parallel=Parallel(device=torch.device("cuda", 0)),
        log=log,
        save=lambda at: None,
        scaler=torch.amp.GradScaler("cuda") if precision == "fp16" else None,
        precision=precision,
        accumulate=2,
        log_every=10,
    )
    log.close()
    losses = [event["loss"] for event in events(tmp_path, "train")]
    assert losses[-1] < 0.8 * losses[0]
