"""The training loop: one function, read from top to bottom."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vidtok.data.mixing import Mixing
from vidtok.errors import NotFiniteError, TrainingError
from vidtok.infer.evaluate import Precision, autocast
from vidtok.train.checks import high_loss_warning
from vidtok.train.ema import Averages
from vidtok.train.failures import check_failures, count_failures, name_damaged
from vidtok.train.gradients import gradient_norms, group_rates
from vidtok.train.log import Log
from vidtok.train.loss import ClassLoss
from vidtok.train.norms import training_mode
from vidtok.train.optim import Schedule
from vidtok.train.parallel import Parallel
from vidtok.train.signals import stop_requests
from vidtok.train.state import Progress, check_run_finite
from vidtok.train.timing import DeviceClock, Mark
from vidtok.types import Batch

LEAST_SCALE = 2.0**-24
"""Loss scales of fp16 are far above: at this one, which takes 40 overflows in a row, hardly a gradient is left."""


def step_seeds(seed: int, step: int, rank: int, part: int = 0) -> np.random.SeedSequence:
    """Dropout and mixing follow from these alone, so that no random state has to be carried through a checkpoint."""
    return np.random.SeedSequence([seed, step, rank, part])


def seed_dropout(seeds: np.random.SeedSequence) -> None:
    torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]) >> 1)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    loss: ClassLoss,
    batches: Iterable[Batch],
    records: int,
    progress: Progress,
    steps: int,
    parallel: Parallel,
    log: Log,
    save: Callable[[Progress], object],
    keep_best: Callable[[Progress], object] | None = None,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    mixing: Mixing | None = None,
    averages: Averages | None = None,
    scaler: torch.amp.GradScaler | None = None,
    seed: int = 0,
    precision: Precision = "float32",
    accumulate: int = 1,
    clip_norm: float | None = 1.0,
    frozen_statistics: bool = False,
    max_bad_fraction: float = 0.01,
    first_pass: int = 0,
    log_every: int = 20,
    save_every: int = 500,
    eval_every: int | None = None,
    patience: int | None = None,
    show: Callable[[Tensor, Tensor], object] | None = None,
    span: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> bool:
    """Train from `progress.step` to `steps`; True when the end was reached, False when it was asked to stop before.

    The end is also where `patience` validations, one after the other, have brought no better figure (None: never).

    `batches` gives this process's share of every step from `progress.step` on, of any size; it goes through the network
    in `accumulate` parts. The loss of a step is the mean over the clips of all processes and parts, however they are
    spread; a process with no readable video takes an empty step. `validate` sees the averages where there are any; it
    comes before `save`, so that a run that is killed between the two repeats it. `keep_best` is called when its first
    figure is the highest so far. `show` gets the pixels and targets of the first step as the network gets them; `span`
    is entered for each part of a step, with its name. `first_pass` steps see every record once: within them the verdict
    on records that cannot be decoded waits, so that it names all of them.
    Raises NotFiniteError, before anything is validated or saved, for a loss, weights or a state of the optimizer that
    are not finite; TrainingError for too many videos that cannot be decoded, and for clips that a batch norm cannot
    take.
    """
    # ---- set up -------------------------------------------------------------------------------------------------
    device = parallel.device
    wrapped = parallel.wrap(model)
    training_mode(model, frozen_statistics=frozen_statistics)
    batches = iter(batches)
    interval_start, interval_loss, interval_clips = progress.step, torch.zeros((), device=device), 0
    norms: dict[str, float] = {}
    damaged: set[int] = set()
    device_clock = DeviceClock(device)
    # Read at a line alone, as a GPU's marks and losses are waited for: with one process no other step reads anything.
    waits: list[tuple[Mark, Mark]] = []
    clock, warned = time.perf_counter(), None

    with stop_requests() as asked_to_stop:
        while progress.step < steps and not out_of_patience(progress, patience):
            # ---- data -------------------------------------------------------------------------------------------
            with span("wait for data"):
                before = device_clock.mark()
                batch = next(batches)
                behind = device_clock.mark()
            with span("to device"):
                views = rearrange(batch.views, "b v f c y x -> (b v) f c y x").to(device, non_blocking=True)
                targets = loss.targets(batch.labels, device=device)
                counts = len(batch), len(batch.failures), len(batch.damaged), int(asked_to_stop())
                clips, failed, spoiled, stop = parallel.totals(*counts)
            waits.append((before, behind))
            if failed:
                count_failures(batch.failures, progress, parallel, log, records)
            if spoiled:
                name_damaged(batch.damaged, damaged, progress, parallel, log)
            if progress.bad:
                may_wait = progress.step + 1 < min(first_pass, steps)
                check_failures(progress.bad, records, max_bad_fraction=max_bad_fraction, may_wait=may_wait)
            if mixing is not None:
                # A stream of its own beside dropout's.
                seeds = step_seeds(seed, progress.step, parallel.rank).spawn(1)[0]
                with span("mixing"):
                    views, targets = mixing(views, targets, np.random.default_rng(seeds))
            if show is not None:
                show(views, targets)
                show = None

            # ---- gradients --------------------------------------------------------------------------------------
            schedule.step_update(progress.step)
            parts = zip(views.tensor_split(accumulate), targets.tensor_split(accumulate), strict=True)
            for part, (part_views, part_targets) in enumerate(parts):
                seed_dropout(step_seeds(seed, progress.step, parallel.rank, part))
                with nullcontext() if part == accumulate - 1 else keep_gradients_here(wrapped):
                    with span("forward"), autocast(device, precision), batch_norms_told(part_views):
                        logits = wrapped(part_views)
                    with span("loss"):
                        part_loss = loss(logits, part_targets)
                        # Gradients become the mean over the processes; the loss is a mean over clips.
                        share = part_loss * parallel.world / max(clips, 1)
                    with span("backward"):
                        (share if scaler is None else scaler.scale(share)).backward()
                interval_loss += part_loss.detach()

            # ---- one update -------------------------------------------------------------------------------------
            due_save = (progress.step + 1) % save_every == 0 or progress.step + 1 == steps or bool(stop)
            due_line = (progress.step + 1) % log_every == 0 or due_save
            with span("optimizer"):
                if scaler is not None:
                    scaler.unscale_(optimizer)
                if due_line:
                    norms = gradient_norms(optimizer)
                if clip_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
                with overflows_told(progress.step + 1):
                    if scaler is None:
                        optimizer.step()
                    else:
                        scaler.step(optimizer)
                        scaler.update()
                optimizer.zero_grad(set_to_none=True)
            interval_clips += clips
            progress.step += 1
            if averages is not None:
                with span("averages"):
                    averages.update(model, updates=progress.step)

            # ---- what there is to say, to check and to save -----------------------------------------------------
            log.step()
            due_check = bool(eval_every and (progress.step % eval_every == 0 or progress.step == steps) and not stop)
            if due_line:
                mean_loss = float(parallel.sum(interval_loss)) / max(interval_clips, 1)
                if not np.isfinite(mean_loss):
                    raise NotFiniteError(
                        f"the loss became {mean_loss} between steps {interval_start + 1} and {progress.step}"
                    )
                if scaler is not None and scaler.get_scale() < LEAST_SCALE:
                    raise NotFiniteError(
                        f"at step {progress.step} the gradient is still not finite with the loss scaled by "
                        f"{scaler.get_scale():.1g}: no step has been made for long"
                    )
                if progress.step <= max(steps // 10, log_every) and not warned:
                    warned = high_loss_warning(mean_loss, chance=loss.of_chance, step=progress.step)
                    if warned:
                        log.warn(warned)
                with span("log"):
                    log.progress(
                        progress.step,
                        since=interval_start,
                        loss=mean_loss,
                        clips=interval_clips,
                        seconds=time.perf_counter() - clock,
                        waited=sum(device_clock.seconds(*wait) for wait in waits),
                        rates=group_rates(optimizer),
                        gradient_norms=norms,
                    )
                interval_start, interval_loss, interval_clips = progress.step, torch.zeros((), device=device), 0
                clock, waits = time.perf_counter(), []
            if due_check or due_save:
                state = None if averages is None else averages.state
                check_run_finite(model, optimizer, state, parallel, step=progress.step)
            if validate is not None and due_check:
                with nullcontext() if averages is None else averages.in_place_of(model):
                    figures = validate(model)
                training_mode(model, frozen_statistics=frozen_statistics)
                log.scalars("val", progress.step, **figures)
                log.say(f"step {progress.step}/{steps} | " + " | ".join(f"val {k} {v:.3f}" for k, v in figures.items()))
                if progress.is_best(figures) and keep_best is not None:
                    keep_best(progress)
                clock, waits = time.perf_counter(), []
            if due_save or out_of_patience(progress, patience):
                save(progress)
            if stop:
                log.event("stopped", step=progress.step)
                return progress.step == steps
    if progress.step < steps:
        (name, figure), at = next(pair for pair in progress.best.items() if pair[0] != "step"), progress.best["step"]
        text = f"{progress.stale} validations have not been better than {name} {figure:.3f} at step {at}"
        log.event("stopped_early", step=progress.step, text=text)
        log.say(f"training ends early, at step {progress.step} of {steps}: {text}")
    return True


def keep_gradients_here(wrapped: nn.Module) -> AbstractContextManager[None]:
    """Backward passes in this context add to this process's gradients; the next one behind it exchanges them."""
    return wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) else nullcontext()


def out_of_patience(progress: Progress, patience: int | None) -> bool:
    """Whether as many validations as that have come since the best one."""
    return patience is not None and progress.stale >= patience


@contextmanager
def overflows_told(step: int) -> Iterator[None]:
    """Turn what some of torch's optimizers raise for a rate beyond all floats into a NotFiniteError."""
    try:
        yield
    except RuntimeError as error:
        if "without overflow" not in str(error):
            raise
        raise NotFiniteError(f"at step {step} the optimizer's update is larger than any float32 ({error})") from error


@contextmanager
def batch_norms_told(views: Tensor) -> Iterator[None]:
    """Say what to do where a batch norm has a single value to take a mean over, which torch refuses."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        clips, frames, _, y, x = views.shape
        raise TrainingError(
            f"a batch norm of this network has a single value for each channel, of which it can take no mean: {clips} "
            f"clip of {frames} frame{'s'[: frames != 1]} with {y} x {x} pixels goes through it at once. Take more "
            "clips per step and process (`batch`, fewer parts by `accumulate`), larger pictures, or the statistics "
            "that the initial weights brought (`batch_norm`=frozen)."
        ) from error
