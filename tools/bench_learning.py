"""How fast each mixer, each place of TokenLearner and each network learns `motion`, and at what cost.

    python tools/bench_learning.py --jobs 2

Every row is the demo's config with a few keys changed, trained on 12,000 clips and tested with one view; nothing is
tuned for a row. Results are kept in --json row by row (a second call goes on where the first one stopped), then written
as a table into the .md beside it and as the .png. Processor time is that of training and loading.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.build import build_model
from vidtok.config_io import load_config
from vidtok.data.motion import render_motion
from vidtok.models.cost import count_cost
from vidtok.train.log import read_log

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "motion_vivit_tl8.yaml"
STEPS, BATCH = 750, 16
MARKERS = ("<!-- learning:start -->", "<!-- learning:end -->")
MIXERS = {
    "mhsa": "{name: mhsa}",
    "super_token": "{name: super_token, cells: [2, 2, 2]}",
    "multi_axis": "{name: multi_axis, window: [2, 4, 4]}",
    "conv_additive": "{name: conv_additive}",
    "separable": "{name: separable}",
    "efficient_additive": "{name: efficient_additive}",
}
MAIN = ("mhsa", "super_token", "multi_axis", "conv_additive")
NETWORKS = {
    "STViT, tiny": (
        "{name: stvit, widths: [24, 48, 96, 96], depths: [1, 1, 2, 1], heads: [1, 2, 4, 4], projection: 192, "
        "cells: [[1, 4, 4], [1, 2, 2], [1, 1, 1], [1, 1, 1]], temporal_kernel: 3, temporal_strides: [2, 1, 1, 1], "
        "drop_path: 0.0}"
    ),
    "MaxViT, tiny": (
        "{name: maxvit, stem: 16, widths: [16, 32, 64, 96], depths: [1, 1, 1, 1], head_width: 16, window: [2, 2, 2], "
        "temporal_kernel: 3, temporal_strides: [2, 1, 1, 1], drop_path: 0.0}"
    ),
    "CAS-ViT, tiny": (
        "{name: casvit, widths: [24, 48, 96, 128], depths: [1, 1, 2, 1], temporal_kernel: 3, "
        "temporal_strides: [2, 1, 1, 1]}"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: its group, its name, and what it changes in the config."""

    group: str
    name: str
    changes: tuple[str, ...]
    seeds: int = 1


def rows() -> Iterator[Row]:
    for name, spec in MIXERS.items():
        yield Row(group="mixer", name=name, changes=(f"model.mixer={spec}",), seeds=3 if name in MAIN else 1)
    yield Row(group="TokenLearner", name="without", changes=("model.token_learner=null",))
    for tokens in (8, 16):
        for block in range(4):
            if (tokens, block) != (8, 2):  # that is the row of mhsa
                change = f"model.token_learner={{after_block: {block}, tokens: {tokens}}}"
                yield Row(group="TokenLearner", name=f"{tokens} tokens, after block {block} of 4", changes=(change,))
    for name, spec in NETWORKS.items():
        yield Row(group="network", name=name, changes=(f"model={spec}",))


def measure(row: Row, seed: int, data: str) -> dict[str, float | int | str | None]:
    """Train and test one row in a process of its own, on one thread."""
    changes = [
        *row.changes,
        f"data.train={data}/train.csv",
        f"data.val={data}/val.csv",
        f"data.classes={data}/classes.txt",
    ]
    changes += [f"train.steps={STEPS}", f"train.batch={BATCH}", f"run.seed={seed}", "data.workers=1"]
    changes += ["eval.every=50", "eval.clips=1", "eval.crops=1", f"train.save_every={STEPS}"]
    config = load_config(CONFIG, changes)
    model = build_model(config, [str(k) for k in range(8)], device="meta")
    cost = count_cost(model.network, frames=config.data.frames, size=config.data.size)[""]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "tools/train_net.py", "--cfg", str(CONFIG), *changes, f"run.dir={folder}/run"]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"{row.name}, seed {seed}:\n{done.stdout}\n{done.stderr}")
        checks = read_log(Path(folder) / "run", "val")
        results = json.loads((Path(folder) / "run" / "test" / "results.json").read_text(encoding="utf-8"))
    reached = next((check["step"] * BATCH for check in checks if check["top1"] >= 0.9), None)
    return {
        "group": row.group,
        "name": row.name,
        "seed": seed,
        "parameters": cost.parameters,
        "macs": cost.macs,
        "top1": results["figures"]["top1"],
        "clips_to_090": reached,
        "cpu_seconds": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
    }


def table(results: list[dict]) -> str:
    """One Markdown line for each row; where there are several seeds, the median and the range."""
    lines = [
        "| | | M parameters | G multiply-adds | top-1 | clips to 0.90 | processor seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows():
        runs = sorted(
            (r for r in results if r["name"] == row.name and r["group"] == row.group), key=lambda r: r["seed"]
        )
        if runs:
            top1 = [r["top1"] for r in runs]
            clips = [r["clips_to_090"] or float("inf") for r in runs]
            shown = f"{statistics.median(top1):.3f}" + (
                f" ({min(top1):.3f} to {max(top1):.3f})" if len(runs) > 1 else ""
            )
            middle = statistics.median(clips)
            reached = "not reached" if middle == float("inf") else f"{middle:,.0f}"
            lines.append(
                f"| {row.group} | {row.name} | {runs[0]['parameters'] / 1e6:.2f} | {runs[0]['macs'] / 1e9:.3f} "
                f"| {shown} | {reached} | {statistics.median(r['cpu_seconds'] for r in runs):.0f} |"
            )
    return "\n".join(lines)


def plot(results: list[dict], path: Path) -> None:
    """Accuracy and clips to 0.90 against multiply-adds, a point for each row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    groups = {"mixer": ("o", "tab:blue"), "TokenLearner": ("s", "tab:orange"), "network": ("^", "tab:green")}
    for group, (mark, colour) in groups.items():
        for row in (r for r in rows() if r.group == group):
            runs = [r for r in results if r["name"] == row.name and r["group"] == group]
            if not runs:
                continue
            macs = runs[0]["macs"] / 1e6
            name = row.name.replace(", after block", " @").replace(" of 4", "").replace(" tokens", "")
            clips = [r["clips_to_090"] or float("inf") for r in runs]
            figures = {left: statistics.median(r["top1"] for r in runs), right: statistics.median(clips)}
            for axis, value in figures.items():
                if value < float("inf"):
                    axis.plot(macs, value, mark, color=colour)
                    axis.annotate(
                        name, (macs, value), xytext=(3, 3), textcoords="offset points", fontsize=8, rotation=35
                    )
    left.set(ylabel="val top-1, one view", title="after 12,000 training clips", ylim=(0, 1.2))
    right.set(ylabel="training clips to 0.90", title="how soon (rows that got there)")
    for axis in (left, right):
        axis.set_xlabel("M multiply-adds per view")
        axis.margins(x=0.12, y=0.12)
        axis.grid(alpha=0.3)
    for group, (mark, colour) in groups.items():
        left.plot([], [], mark, color=colour, label=group)
    figure.legend(loc="outside lower center", ncols=len(groups), frameon=False)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, one thread each")
    parser.add_argument("--data", default="data/motion", help="the motion set; made where it is missing")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "learning.json", help="default: %(default)s")
    args = parser.parse_args()
    data = Path(args.data).resolve()
    if not (data / "val.csv").is_file():
        render_motion(data)
    kept = args.json
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else []
    known = {(r["group"], r["name"], r["seed"]) for r in results}
    wanted = [(row, seed) for row in rows() for seed in range(row.seeds) if (row.group, row.name, seed) not in known]
    with ProcessPoolExecutor(args.jobs) as pool:
        for future in as_completed([pool.submit(measure, row, seed, str(data)) for row, seed in wanted]):
            results.append(future.result())
            kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            print(results[-1], flush=True)
    plot(results, kept.with_suffix(".png"))
    page = kept.with_suffix(".md")
    text = page.read_text(encoding="utf-8") if page.is_file() else "\n".join([*MARKERS, ""])
    before, rest = text.split(MARKERS[0])
    _, behind = rest.split(MARKERS[1])
    page.write_text(f"{before}{MARKERS[0]}\n{table(results)}\n{MARKERS[1]}{behind}", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
