"""A few steps of training, timed part by part and traced by torch's profiler."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch.autograd.profiler_util import EventList
from torch.profiler import ProfilerActivity, profile

from vidtok.build import Lists, build_model
from vidtok.build_data import build_train_batches, run_steps
from vidtok.build_train import build_loss, build_mixing, build_optimizer, build_scaler, build_schedule, prepare_training
from vidtok.build_words import config_words
from vidtok.config import Config
from vidtok.train.ema import Averages
from vidtok.train.fsdp import shard_model
from vidtok.train.log import Log
from vidtok.train.loop import train
from vidtok.train.parallel import Parallel
from vidtok.train.state import Progress
from vidtok.train.timing import StepTimer, mean_parts
from vidtok.types import Batch

WARM_UP, TRACED = 3, 3
"""Steps before those that are timed, and behind them, under torch's profiler, which slows them down."""


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """The parts of the timed steps on each clock, the processor's first, and what torch's profiler saw of later ones.

    `clips` are those of a step, on average, over all processes.
    """

    clocks: Sequence[Sequence[Mapping[str, float]]]
    trace: profile
    clips: float

    @property
    def means(self) -> Mapping[str, float]:
        """On the clock that counts: the GPU's where there is one, which works behind the processor's back."""
        return mean_parts(self.clocks[-1])

    @property
    def on_gpu(self) -> bool:
        return len(self.clocks) > 1


def time_steps(
    config: Config, lists: Lists, parallel: Parallel, *, steps: int, batches: Iterable[Batch] | None = None
) -> StepTimes:
    """Train from scratch for a few steps, as the run would, without validation and checkpoints.

    On `batches`, where they are given, instead of those that the run's loader reads.
    """
    settings, total = config.train, WARM_UP + steps + TRACED
    config = with_train(config, steps=max(total, run_steps(config, len(lists.train))), epochs=None)
    model = build_model(config, lists.classes)
    prepare_training(config, model, parallel.device)
    if parallel.sharded:
        shard_model(model, device=parallel.device, bf16=settings.precision == "bf16")
    optimizer = build_optimizer(config, model, new=())
    gpu = [ProfilerActivity.CUDA] if parallel.device.type == "cuda" else []
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler talks to itself
    trace = profile(activities=[ProfilerActivity.CPU, *gpu])
    timer = StepTimer(device=parallel.device, at_step=lambda step: trace.start() if step == WARM_UP + steps else None)
    clips: list[int] = []
    if batches is None:
        batches = build_train_batches(config, lists.train, parallel, first_step=0)
    with TemporaryDirectory() as folder:
        log = Log(Path(folder) if parallel.is_main else None, steps=total, words=config_words)
        try:
            ended = train(
                model,
                optimizer,
                build_schedule(config, optimizer, steps=run_steps(config, len(lists.train))),
                loss=build_loss(config, lists),
                batches=counted(batches, clips),
                records=len(lists.train),
                progress=Progress(),
                steps=total,
                parallel=parallel,
                log=log,
                save=lambda at: None,
                mixing=build_mixing(config),
                averages=Averages(model, decay=settings.ema_decay) if settings.ema_decay is not None else None,
                scaler=build_scaler(config, parallel.device),
                seed=config.run.seed,
                precision=settings.precision,
                accumulate=settings.accumulate,
                clip_norm=settings.clip_norm,
                frozen_statistics=settings.batch_norm == "frozen",
                max_bad_fraction=config.data.max_bad_fraction,
                log_every=min(settings.log_every, steps),  # so that a line is among the timed steps
                save_every=total,
                span=timer,
            )
        finally:
            log.close()
    if not ended:
        raise KeyboardInterrupt
    trace.stop()
    own = clips[WARM_UP : WARM_UP + steps]
    return StepTimes(
        clocks=timer.seconds(WARM_UP, WARM_UP + steps), trace=trace, clips=sum(own) / len(own) * parallel.world
    )


def counted(batches: Iterable[Batch], clips: list[int]) -> Iterator[Batch]:
    """The batches; the number of clips of each is put into `clips`."""
    for batch in batches:
        clips.append(len(batch))
        yield batch


def with_train(config: Config, **changes: int | None) -> Config:
    """The config with other values of `config.train`."""
    return config.model_copy(update={"train": config.train.model_copy(update=changes)})


def sample_batches(config: Config, lists: Lists, parallel: Parallel) -> Iterable[Batch]:
    """The batches of a training process without workers, small ones: four videos each."""
    config = with_train(config, batch=4 * config.data.repeats * parallel.world)
    config = config.model_copy(update={"data": config.data.model_copy(update={"workers": 0})})
    return build_train_batches(config, lists.train, parallel, first_step=0)


def operators(times: StepTimes) -> list[tuple[str, int, float]]:
    """PyTorch's operators in the traced steps, the heaviest first: name, calls and seconds of a step.

    Seconds of the GPU where there is one, without what an operator calls.
    """
    spans = {name for step in times.clocks[0] for name in step}
    found = []
    for each in averages_of(times.trace):
        micros = each.self_device_time_total if times.on_gpu else each.self_cpu_time_total
        if each.key.startswith(("aten::", "vidtok::")) and each.key not in spans and micros > 0:
            found.append((each.key, round(each.count / TRACED), micros / 1e6 / TRACED))
    return sorted(found, key=lambda row: -row[2])


def averages_of(trace: profile) -> EventList:
    return trace.key_averages()
