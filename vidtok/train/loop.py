"""The training loop: one function, read from top to bottom."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from einops import rearrange
from timm.scheduler.scheduler import Scheduler
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vidtok.data.mixing import Mixing
from vidtok.errors import TrainingError
from vidtok.infer.evaluate import Precision, autocast
from vidtok.train.checks import high_loss_warning
from vidtok.train.ema import Averages
from vidtok.train.gradients import gradient_norms, group_rates
from vidtok.train.log import Log
from vidtok.train.loss import ClassLoss
from vidtok.train.norms import training_mode
from vidtok.train.parallel import Parallel
from vidtok.train.state import Progress
from vidtok.train.timing import DeviceClock
from vidtok.types import Batch, Failure


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after this step; a second Ctrl-C acts at once.

    A second SIGTERM does nothing: Slurm sends one to every process, and torchrun passes on the one that it got itself.
    """
    asked = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def step_seeds(seed: int, step: int, rank: int, part: int = 0) -> np.random.SeedSequence:
    """Dropout and mixing follow from these alone, so that no random state has to be carried through a checkpoint."""
    return np.random.SeedSequence([seed, step, rank, part])


def seed_dropout(seeds: np.random.SeedSequence) -> None:
    torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]) >> 1)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Scheduler,
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
    log_every: int = 20,
    save_every: int = 500,
    eval_every: int | None = None,
    show: Callable[[Tensor, Tensor], object] | None = None,
    span: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> bool:
    """Train from `progress.step` to `steps`; True when the end was reached, False when it was asked to stop before.

    `batches` gives this process's share of every step from `progress.step` on, of any size; it goes through the network
    in `accumulate` parts. The loss of a step is the mean over the clips of all processes and parts, however they are
    spread; a process with no readable video takes an empty step. `validate` sees the averages where there are any; it
    comes before `save`, so that a run that is killed between the two repeats it. `keep_best` is called when its first
    figure is the highest so far. `show` gets the pixels and targets of the first step as the network gets them; `span`
    is entered for each part of a step, with its name.
    Raises TrainingError for a loss that is not finite and for too many videos that cannot be decoded.
    """
    # ---- set up -------------------------------------------------------------------------------------------------
    device = parallel.device
    wrapped = parallel.wrap(model)
    training_mode(model, frozen_statistics=frozen_statistics)
    batches = iter(batches)
    interval_start, interval_loss, interval_clips = progress.step, torch.zeros((), device=device), 0
    norms: dict[str, float] = {}
    device_clock = DeviceClock(device)
    clock, waited, warned = time.perf_counter(), 0.0, None

    with stop_requests() as asked_to_stop:
        while progress.step < steps:
            # ---- data -------------------------------------------------------------------------------------------
            with span("wait for data"):
                before = device_clock.mark()
                batch = next(batches)
                behind = device_clock.mark()
            with span("to device"):
                views = rearrange(batch.views, "b v f c y x -> (b v) f c y x").to(device, non_blocking=True)
                targets = loss.targets(batch.labels, device=device)
                counts = torch.tensor(
                    [len(batch), len(batch.failures), asked_to_stop()], dtype=torch.float64, device=device
                )
                clips, failed, stop = (int(count) for count in parallel.sum(counts).tolist())
            waited += device_clock.seconds(before, behind)
            if failed:
                count_failures(batch.failures, progress, parallel, log, records, max_bad_fraction)
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
                    with span("forward"), autocast(device, precision):
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
            if due_line:
                mean_loss = float(parallel.sum(interval_loss)) / max(interval_clips, 1)
                if not np.isfinite(mean_loss):
                    raise TrainingError(
                        f"the loss became {mean_loss} between steps {interval_start + 1} and {progress.step}; "
                        f"the newest checkpoint is from before. Lower train.lr, lengthen train.warmup_steps, "
                        f"or set train.precision=float32."
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
                        waited=waited,
                        rates=group_rates(optimizer),
                        gradient_norms=norms,
                    )
                interval_start, interval_loss, interval_clips = progress.step, torch.zeros((), device=device), 0
                clock, waited = time.perf_counter(), 0.0
            due_check = eval_every and (progress.step % eval_every == 0 or progress.step == steps)
            if validate is not None and due_check and not stop:
                with nullcontext() if averages is None else averages.in_place_of(model):
                    figures = validate(model)
                training_mode(model, frozen_statistics=frozen_statistics)
                log.scalars("val", progress.step, **figures)
                log.say(f"step {progress.step}/{steps} | " + " | ".join(f"val {k} {v:.3f}" for k, v in figures.items()))
                if progress.is_best(figures) and keep_best is not None:
                    keep_best(progress)
                clock, waited = time.perf_counter(), 0.0
            if due_save:
                save(progress)
            if stop:
                log.event("stopped", step=progress.step)
                return progress.step == steps
    return True


def keep_gradients_here(wrapped: nn.Module) -> AbstractContextManager[None]:
    """Backward passes in this context add to this process's gradients; the next one behind it exchanges them."""
    return wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) else nullcontext()


def count_failures(
    failures: tuple[Failure, ...],
    progress: Progress,
    parallel: Parallel,
    log: Log,
    records: int,
    max_bad_fraction: float,
) -> None:
    """Note every video that failed, once; stop the run when they are too many. All processes reach the same verdict."""
    for failure in sorted((f for part in parallel.gather(failures) for f in part), key=lambda failure: failure.index):
        if failure.index not in progress.bad:
            progress.bad[failure.index] = failure.cause
            log.event("bad_video", step=progress.step, path=str(failure.path), cause=failure.cause)
            log.say(f"cannot decode, skipped ({len(progress.bad)} of {records} so far): {failure.cause}")
    if len(progress.bad) > max_bad_fraction * records:
        listed = "".join(f"\n  {cause}" for cause in list(progress.bad.values())[:5])
        raise TrainingError(
            f"{len(progress.bad)} of {records} videos cannot be decoded, more than "
            f"data.max_bad_fraction={max_bad_fraction} allows. Mend or remove them, or raise that limit:{listed}"
        )
