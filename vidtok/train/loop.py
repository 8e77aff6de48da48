"""The training loop: one function, read from top to bottom."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from timm.scheduler.scheduler import Scheduler
from torch import nn

from vidtok.errors import TrainingError
from vidtok.evaluate import autocast
from vidtok.metrics import ScoreKind
from vidtok.train.log import Log
from vidtok.train.optim import class_loss
from vidtok.train.parallel import Parallel
from vidtok.types import Batch, Failure


@dataclass
class Progress:
    """Where a run stands: updates made, and the videos (row of the list -> cause) that could not be decoded so far."""

    step: int = 0
    bad: dict[int, str] = field(default_factory=dict)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after this step; a second one acts at once."""
    asked = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Dropout follows from (seed, step, rank) alone, so that no random state has to be carried through a checkpoint."""
    torch.manual_seed(int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0]) >> 1)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Scheduler,
    *,
    batches: Iterable[Batch],
    records: int,
    progress: Progress,
    steps: int,
    parallel: Parallel,
    log: Log,
    save: Callable[[Progress], object],
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    seed: int = 0,
    precision: Literal["float32", "bf16"] = "float32",
    score_kind: ScoreKind = "softmax",
    label_smoothing: float = 0.0,
    clip_norm: float | None = 1.0,
    max_bad_fraction: float = 0.01,
    log_every: int = 20,
    save_every: int = 500,
    eval_every: int | None = None,
) -> bool:
    """Train from `progress.step` to `steps`; True when the end was reached, False when it was asked to stop before.

    `batches` gives this process's share of every step from `progress.step` on. The loss of a step is the mean over the
    clips of all processes, however they are spread; a process with no readable video takes an empty step.
    Raises TrainingError for a loss that is not finite and for too many videos that cannot be decoded.
    """
    # ---- set up -------------------------------------------------------------------------------------------------
    device = parallel.device
    wrapped = parallel.wrap(model)
    model.train()
    batches = iter(batches)
    interval_start, interval_loss, interval_clips = progress.step, torch.zeros((), device=device), 0
    clock, waited = time.perf_counter(), 0.0

    with stop_requests() as asked_to_stop:
        while progress.step < steps:
            # ---- data -------------------------------------------------------------------------------------------
            before = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - before
            views = rearrange(batch.views, "b v f c y x -> (b v) f c y x").to(device, non_blocking=True)
            counts = torch.tensor(
                [len(batch), len(batch.failures), asked_to_stop()], dtype=torch.float64, device=device
            )
            clips, failed, stop = (int(count) for count in parallel.sum(counts).tolist())
            if failed:
                count_failures(batch.failures, progress, parallel, log, records, max_bad_fraction)

            # ---- one update -------------------------------------------------------------------------------------
            seed_step(seed, progress.step, parallel.rank)
            schedule.step_update(progress.step)
            with autocast(device, precision):
                logits = wrapped(views)
            loss = class_loss(logits, batch.labels, kind=score_kind, label_smoothing=label_smoothing)
            # DistributedDataParallel divides the gradients by the number of processes; the loss is a mean over clips.
            (loss * parallel.world / max(clips, 1)).backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            interval_loss += loss.detach()
            interval_clips += clips
            progress.step += 1

            # ---- what there is to say, to check and to save -----------------------------------------------------
            due_save = progress.step % save_every == 0 or progress.step == steps or bool(stop)
            if progress.step % log_every == 0 or due_save:
                mean_loss = float(parallel.sum(interval_loss)) / max(interval_clips, 1)
                if not np.isfinite(mean_loss):
                    raise TrainingError(
                        f"the loss became {mean_loss} between steps {interval_start + 1} and {progress.step}; "
                        f"the newest checkpoint is from before. Lower train.lr, lengthen train.warmup_steps, "
                        f"or set train.precision=float32."
                    )
                seconds = time.perf_counter() - clock
                log.progress(
                    progress.step,
                    loss=mean_loss,
                    lr=optimizer.param_groups[0]["lr"],
                    clips_per_second=interval_clips / seconds,
                    waiting=waited / seconds,
                    eta_seconds=(steps - progress.step) * seconds / (progress.step - interval_start),
                )
                interval_start, interval_loss, interval_clips = progress.step, torch.zeros((), device=device), 0
                clock, waited = time.perf_counter(), 0.0
            if due_save:
                save(progress)
            if stop:
                log.event("stopped", step=progress.step)
                return progress.step == steps
            if validate is not None and eval_every and (progress.step % eval_every == 0 or progress.step == steps):
                figures = validate(model)
                log.scalars("val", progress.step, **figures)
                log.say(f"step {progress.step}/{steps} | " + " | ".join(f"val {k} {v:.3f}" for k, v in figures.items()))
                clock, waited = time.perf_counter(), 0.0
    return True


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
