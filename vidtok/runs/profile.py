"""Show where the time of a training step goes: a table, a picture, the heaviest operators and a trace."""

from collections.abc import Sequence
from pathlib import Path

from vidtok.build import build_lists
from vidtok.build_words import told_in_config_words
from vidtok.config_io import find_config
from vidtok.errors import ConfigError
from vidtok.runs.folders import make_folder
from vidtok.runs.profile_sample import time_samples
from vidtok.runs.profile_steps import StepTimes, averages_of, sample_batches, time_steps
from vidtok.runs.profile_words import bottleneck, operator_table, sample_table, step_table, top_operator
from vidtok.train.parallel import start_parallel
from vidtok.train.timing import mean_parts
from vidtok.viz.time_bars import Bars, draw_bars


@told_in_config_words()
def run_profile(
    cfg: str | Path, overrides: Sequence[str] = (), *, steps: int = 20, out: str | Path | None = None
) -> None:
    """Train for a few steps and show where their time goes; nothing of a run is read or kept.

    profile.png, operators.txt and trace.json.gz go to `out`, by default profile/ in the run's folder.
    """
    if steps < 1:
        raise ConfigError(f"--steps {steps}: one step at least is to be timed")
    config = find_config(cfg, overrides)
    lists = build_lists(config)
    folder = Path(out) if out else Path(str(config.run.dir)) / "profile"
    make_folder(folder)
    with start_parallel(config.run.device, form=config.train.parallel) as parallel:
        times = time_steps(config, lists, parallel, steps=steps)
        if not parallel.is_main:
            return
        sample = time_samples(sample_batches(config, lists, parallel))
        for line in (*step_table(times), "", *sample_table(sample), "", *operator_table(times)):
            print(line)
        write_trace(times, folder)
        panels = [
            Bars(title=f"a step of {times.clips:g} clips, {clock}'s clock", columns=steps, means=mean_parts(steps))
            for clock, steps in zip(("processor", "GPU"), times.clocks, strict=False)
        ]
        if sample is not None:
            panels.append(Bars(title="a clip in a worker", columns=[sample.parts], means=sample.parts))
        draw_bars(panels, folder / "profile.png")
        print(f"written: {folder / 'profile.png'}, operators.txt and trace.json.gz")
        print(bottleneck(times.means, sample, config, clips=times.clips, on_gpu=times.on_gpu, top=top_operator(times)))


def write_trace(times: StepTimes, out: Path) -> None:
    """operators.txt and trace.json.gz."""
    order = "self_device_time_total" if times.on_gpu else "self_cpu_time_total"
    table = averages_of(times.trace).table(sort_by=order, row_limit=60, max_name_column_width=60)
    (out / "operators.txt").write_text(table, encoding="utf-8")
    times.trace.export_chrome_trace(str(out / "trace.json.gz"))
