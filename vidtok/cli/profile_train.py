"""Show where the time of a training step goes: a table, a picture, the heaviest operators and a trace."""

from collections.abc import Sequence
from pathlib import Path

from vidtok.build import build_lists
from vidtok.cli import add_overrides, parser
from vidtok.cli.profile_sample import time_samples
from vidtok.cli.profile_steps import StepTimes, averages_of, sample_batches, time_steps
from vidtok.cli.profile_words import bottleneck, operator_table, sample_table, step_table, top_operator
from vidtok.config_io import load_config
from vidtok.train.parallel import start_parallel
from vidtok.train.timing import mean_parts
from vidtok.viz.time_bars import Bars, draw_bars


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Show where the time of a training step goes, by training for a few steps. Nothing of a run is read or kept.\n"
        "Writes profile.png, operators.txt and trace.json.gz (for chrome://tracing or ui.perfetto.dev)."
    )
    cli.add_argument("--cfg", required=True, help="config file")
    cli.add_argument("--steps", type=int, default=20, help="steps that are timed (default: %(default)s)")
    cli.add_argument("--out", help="folder to write into; default: profile/ in the run's folder")
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)
    if args.steps < 1:
        cli.error(f"--steps {args.steps}: one step at least is to be timed")

    config = load_config(args.cfg, args.overrides)
    lists = build_lists(config)
    out = Path(args.out) if args.out else Path(str(config.run.dir)) / "profile"
    with start_parallel(config.run.device, form=config.train.parallel) as parallel:
        times = time_steps(config, lists, parallel, steps=args.steps)
        if not parallel.is_main:
            return 0
        sample = time_samples(sample_batches(config, lists, parallel))
        out.mkdir(parents=True, exist_ok=True)
        for line in (*step_table(times), "", *sample_table(sample), "", *operator_table(times)):
            print(line)
        write_trace(times, out)
        panels = [
            Bars(title=f"a step of {times.clips:g} clips, {clock}'s clock", columns=steps, means=mean_parts(steps))
            for clock, steps in zip(("processor", "GPU"), times.clocks, strict=False)
        ]
        if sample is not None:
            panels.append(Bars(title="a clip in a worker", columns=[sample.parts], means=sample.parts))
        draw_bars(panels, out / "profile.png")
        print(f"written: {out / 'profile.png'}, operators.txt and trace.json.gz")
        print(bottleneck(times.means, sample, config, clips=times.clips, on_gpu=times.on_gpu, top=top_operator(times)))
    return 0


def write_trace(times: StepTimes, out: Path) -> None:
    """operators.txt and trace.json.gz."""
    order = "self_device_time_total" if times.on_gpu else "self_cpu_time_total"
    table = averages_of(times.trace).table(sort_by=order, row_limit=60, max_name_column_width=60)
    (out / "operators.txt").write_text(table, encoding="utf-8")
    times.trace.export_chrome_trace(str(out / "trace.json.gz"))
