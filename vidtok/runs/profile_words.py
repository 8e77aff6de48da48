"""What a profile of training says, in tables and in words."""

from collections.abc import Mapping
from statistics import median

from vidtok.build_data import build_input_remedy, loader_workers
from vidtok.config import Config
from vidtok.runs.profile_sample import SampleTimes
from vidtok.runs.profile_steps import TRACED, StepTimes, operators
from vidtok.train.checks import WAITING
from vidtok.train.timing import FIRST, REST, mean_parts

NETWORK = ("forward", "loss", "backward")
OPERATORS = 8


def step_table(times: StepTimes) -> list[str]:
    """A line for each part of a step: milliseconds on each clock, and the share of the step on the one that counts."""
    columns = [mean_parts(steps) for steps in times.clocks]
    wholes = [sum(step.values()) for step in times.clocks[-1]]
    mean = sum(wholes) / len(wholes)
    heads = ("processor", "GPU")[: len(columns)]
    lines = [
        f"a step of {times.clips:g} clips takes {ms(mean)}: {times.clips / mean:.1f} clips/s "
        f"(mean of {len(wholes)} steps, median {ms(median(wholes))}, {ms(min(wholes))} to {ms(max(wholes))})",
        " ".join(["  part".ljust(24), *(head.rjust(12) for head in heads)]),
    ]
    for name in columns[-1]:
        cells = [ms(column.get(name, 0.0)).rjust(12) for column in columns]
        lines.append(" ".join([f"  {name}".ljust(24), *cells, f"{columns[-1][name] / mean:6.0%}"]))
    return lines


def sample_table(sample: SampleTimes | None) -> list[str]:
    """A line for each part of a clip's way through a worker."""
    if sample is None:
        return ["no video could be read"]
    lines = [f"a clip takes {ms(sample.seconds)} in a worker (mean of {sample.clips} clips, read before by the disk)"]
    return lines + [
        f"  {name}".ljust(24) + f" {ms(part).rjust(12)} {part / sample.seconds:6.0%}"
        for name, part in sample.parts.items()
    ]


def operator_table(times: StepTimes) -> list[str]:
    """The heaviest operators."""
    lines = [f"heaviest operators (under torch's profiler, {TRACED} steps, without what they call)"]
    rows = operators(times)[:OPERATORS]
    return lines + [f"  {name:<42} {calls:>6} calls {ms(seconds).rjust(10)} a step" for name, calls, seconds in rows]


def top_operator(times: StepTimes) -> str:
    """The name of the heaviest operator, and its share of the time of all."""
    rows = operators(times)
    return f"{rows[0][0]} with {rows[0][2] / sum(row[2] for row in rows):.0%} of all operators' time"


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def bottleneck(
    means: Mapping[str, float],
    sample: SampleTimes | None,
    config: Config,
    *,
    clips: float,
    on_gpu: bool,
    top: str,
) -> str:
    """What a step spends most of its time with, in words, and what to do about it."""
    whole, waiting = sum(means.values()), means[FIRST]
    if waiting > WAITING * whole:
        workers = loader_workers(config.data.workers)
        makers = f"{workers} {'worker' if workers == 1 else 'workers'}" if workers else "the training process itself"
        words = (
            f"bottleneck: the data: a step waits for it {waiting / whole:.0%} of its time; {makers} "
            f"{'makes' if workers < 2 else 'make'} {clips / whole:.1f} clips/s, the rest of a step could take "
            f"{clips / (whole - waiting):.1f}. "
        )
        remedy = build_input_remedy(config)
        if sample is not None:
            name, part = max(sample.parts.items(), key=lambda item: item[1])
            words += f"Most of a clip's time in a worker is `{name}` ({part / sample.seconds:.0%}). "
            remedy = f"lighten data.augment, or {remedy}" if name == "augment" else remedy
        return f"{words}To change it: {remedy}"
    network = sum(means.get(name, 0.0) for name in NETWORK)
    others = {name: part for name, part in means.items() if name not in NETWORK}
    name, part = max(others.items(), key=lambda item: item[1])
    if network >= part:
        return (
            f"bottleneck: the network: forward and backward passes take {network / whole:.0%} of a step, the wait for "
            f"data {waiting / whole:.0%}; the heaviest operator is {top}. "
            f"To change it: {network_remedy(config, on_gpu)}"
        )
    remedies = {
        FIRST: build_input_remedy(config),
        "to device": "fewer bytes of a clip: a smaller data.size or fewer data.frames",
        "optimizer": "raise train.batch, for fewer updates of as many clips",
        "averages": "raise train.batch, for fewer updates of as many clips",
        "log": "raise train.log_every",
        REST: "raise train.batch; in trace.json.gz stands what happens between the parts",
    }
    return f"bottleneck: {name} takes {part / whole:.0%} of a step. To change it: " + remedies.get(
        name, "trace.json.gz shows what happens there"
    )


def network_remedy(config: Config, on_gpu: bool) -> str:
    """What makes the network itself faster, as far as the settings leave it."""
    settings = config.train
    if not on_gpu:
        return "a GPU, or a smaller network (tools/model_table.py shows what networks and their parts cost)"
    ways = ["train.precision=bf16"] if settings.precision == "float32" else []
    ways += [] if settings.compile or settings.parallel == "fsdp2" else ["train.compile=true"]
    ways += ["train.checkpoint_blocks=false, if the memory is large enough"] if settings.checkpoint_blocks else []
    return ", or ".join([*ways, "a smaller network (tools/model_table.py shows what networks and their parts cost)"])
