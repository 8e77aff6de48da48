"""A step of training with its loader, against the same steps on clips that lie in memory: what reading costs.

    python tools/bench_step.py --cfg configs/k400_vivit_tl8.yaml data.train=clips.csv data.classes=null train.batch=2
    python tools/bench_step.py --cfg runs/own/config.yaml --steps 20 --turns 5 --json step.json

Both are the run's own loop, from scratch, a few steps to warm up and then --steps that are timed. In one the loader and
its workers read the list, as in a run; in the other every step gets the first batch again. They take turns, and the
share is the median over turns of the seconds in memory over those with the loader: 1.00 where reading costs nothing.
`waits` is the share of the steps with the loader in which they stood still for it; the rest of what reading costs is
that workers take processors from the steps, where there is no GPU.
"""

import argparse
import itertools
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.build import build_lists
from vidtok.build_data import build_train_batches
from vidtok.config_io import find_config
from vidtok.runs.profile_steps import StepTimes, time_steps
from vidtok.train.parallel import start_parallel
from vidtok.train.timing import FIRST


def seconds(times: StepTimes) -> float:
    """Of a step, on the clock that counts."""
    return sum(times.means.values())


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--cfg", required=True, help="the config of a run")
    cli.add_argument("--steps", type=int, default=8, help="timed in each turn (default: %(default)s)")
    cli.add_argument("--turns", type=int, default=3, help="default: %(default)s")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    cli.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="other values of the config")
    args = cli.parse_args()
    config = find_config(args.cfg, args.overrides)
    lists, rows = build_lists(config), []
    with start_parallel(config.run.device, form=config.train.parallel) as parallel:
        kept = next(iter(build_train_batches(config, lists.train, parallel, first_step=0)))
        print("| turn | s with the loader | s in memory | share | waits |\n|---|---|---|---|---|", flush=True)
        for turn in range(args.turns):
            loader = time_steps(config, lists, parallel, steps=args.steps)
            memory = time_steps(config, lists, parallel, steps=args.steps, batches=itertools.repeat(kept))
            row = {
                "loader_seconds": seconds(loader),
                "memory_seconds": seconds(memory),
                "share": seconds(memory) / seconds(loader),
                "waits": loader.means[FIRST] / seconds(loader),
                "clips": loader.clips,
            }
            rows.append(row)
            print(
                f"| {turn + 1} | {row['loader_seconds']:.3f} | {row['memory_seconds']:.3f} | {row['share']:.3f} | "
                f"{row['waits']:.3f} |",
                flush=True,
            )
        share = statistics.median(row["share"] for row in rows)
        print(f"\n{share:.3f} of the rate on clips in memory; {rows[0]['clips']:g} clips in a step")
        if args.json and parallel.is_main:
            Path(args.json).write_text(json.dumps({"share": share, "steps": args.steps, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
