"""Train and test over the folds of a data set, each of them left out once."""

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidtok.build import loader_workers
from vidtok.config import Config
from vidtok.config_io import check, find_config
from vidtok.data.folds import FoldTable, read_folds
from vidtok.data.motion import render_motion
from vidtok.errors import ConfigError
from vidtok.runs.parts import Part, prepare, run_parts

SPREAD = "standard deviation over the folds (divisor n - 1)"
LISTS = {"train": "train.csv", "val": "val.csv", "classes": "classes.txt"}

# The start: the recipe of configs/motion_vivit_tl8.yaml, whatever the network, the clip and the batch are.
START_RECORDS = 2000  # clips of motion, at most; each is seen several times
START_DATA = {"stride": 1, "scale": [0.5, 1.0], "ratio": [0.8, 1.25], "flip": False}
START_TRAIN = {"lr": 1e-3, "betas": [0.9, 0.98], "weight_decay": 0.05, "warmup_steps": 40}


def run_cross_validate(
    cfg: str | Path | Config,
    overrides: Sequence[str] = (),
    *,
    init: str | None = None,
    seeds: str | None = None,
    jobs: int = 1,
    start_clips: int = 6400,
    allow_missing: bool = False,
) -> int:
    """Train and test over the folds of `data.root`/labels.csv, each of them left out once; the exit status.

    `init`: `motion`, `scratch`, or all that train.init takes. `seeds`: such as "0,1,2". `jobs`: folds at a time.
    """
    for name, value in (("--jobs", jobs), ("--start-clips", start_clips)):
        if value < 1:
            raise ConfigError(f"{name} {value}: it counts from 1")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("cross_validate starts its own processes: run it without torchrun, with --jobs N")
    config = find_config(cfg, overrides)
    if config.data.root is None:
        raise ConfigError("data.root: cross-validation needs the folder that holds labels.csv; give data.root=DIR")
    table = read_folds(Path(config.data.root) / "labels.csv")
    numbers, whole = read_seeds(seeds, default=config.run.seed), Path(str(config.run.dir))
    print(
        f"{table.source}: {len(table.rows)} videos, {len(table.classes)} classes, {len(table.folds)} folds | seeds "
        f"{', '.join(map(str, numbers))} | {jobs} at a time | what a run says is in output.txt of its folder",
        flush=True,
    )
    if split := table.split_subjects():
        print(f"note: subject {split[0]} is in more than one fold ({len(split)} are): the figure is not for new people")

    starts, parts = [], []
    records, size = min(start_clips, START_RECORDS), motion_size(config)
    motion = whole / f"motion_{records}x{config.data.frames}x{size[0]}x{size[1]}"
    for seed in numbers:
        folder = whole if seeds is None else whole / f"seed_{seed}"
        begin = config.train.init if init is None else init
        if begin == "motion":
            start = start_part(config, folder / "start", motion, seed=seed, clips=start_clips)
            starts.append(start)
            begin = str(start.folder)
        for fold in table.folds:
            parts.append(fold_part(config, table, fold, folder / f"fold_{fold}", seed, begin, jobs=jobs))
    for part in (*starts, *parts):
        prepare(part)
    if starts:
        find_motion(motion, records=records, frames=config.data.frames, size=size)
    status = run_parts(starts, jobs=1, tell=tell_start) or run_parts(parts, jobs=jobs, tell=tell_fold)
    return status or finish(parts, table, numbers, whole, allow_missing=allow_missing)


def read_seeds(text: str | None, *, default: int) -> list[int]:
    """`0,1,2` -> [0, 1, 2]."""
    words = [str(default)] if text is None else text.split(",")
    if not all(word.strip().isdecimal() for word in words) or len(set(words)) < len(words):
        raise ConfigError(f"--seeds {text}: write different whole numbers from 0 on with commas between, such as 0,1,2")
    return [int(word) for word in words]


def changed(config: Config, **sections: Mapping[str, Any]) -> Config:
    """The config with some keys changed, checked anew."""
    tree = config.model_dump(mode="json")
    for name, keys in sections.items():
        tree[name] = {**tree[name], **keys}
    return check(tree, source="cross_validate")


def fold_part(
    config: Config, table: FoldTable, fold: str, folder: Path, seed: int, init: str | None, *, jobs: int
) -> Part:
    """The run that leaves this fold out."""
    lists = {**table.lists(fold), "classes.txt": "".join(f"{name}\n" for name in table.classes)}
    own = changed(
        config,
        run={"dir": str(folder), "seed": seed},
        data={
            **{key: str(folder / name) for key, name in LISTS.items()},
            "format": "auto",
            "workers": max(1, loader_workers(None) // jobs) if config.data.workers is None else config.data.workers,
        },
        train={"init": None if init == "scratch" else init},
        eval={"after_train": True},
    )
    return Part(name=f"seed {seed}, fold {fold}", config=own, lists=lists)


def start_part(config: Config, folder: Path, motion: Path, *, seed: int, clips: int) -> Part:
    """The config's own network and clip, trained on `motion`: what every fold of a seed starts from."""
    train = {**START_TRAIN, "steps": math.ceil(clips / config.train.batch), "batch": config.train.batch}
    tree = config.model_dump(mode="json")
    kept = {name: tree["data"][name] for name in ("frames", "size", "short_side", "mean", "std", "workers")}
    tree |= {
        "run": {**tree["run"], "dir": str(folder), "seed": seed},
        "data": {**kept, **START_DATA, **{key: str(motion / name) for key, name in LISTS.items()}},
        "train": {**train, "precision": tree["train"]["precision"]},
        "eval": {"clips": 1, "crops": 1},
    }
    return Part(name=f"seed {seed}, start", config=check(tree, source="cross_validate"), lists={})


def motion_size(config: Config) -> tuple[int, int]:
    """Rows and columns of the clips of `motion`: the short side of the config, and about 1.2 times as much."""
    half = math.ceil(config.data.short_side / 2)
    return 2 * half, 2 * round(1.2 * half)


def find_motion(folder: Path, *, records: int, frames: int, size: tuple[int, int]) -> None:
    """Render `motion` with clips of this form, unless it is there: the lists are written last."""
    if not all((folder / name).is_file() for name in LISTS.values()):
        print(f"making the data set motion in {folder}", flush=True)
        render_motion(folder, clips_train=records, clips_val=80, frames=frames, size=size)


def read_results(part: Part) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Name of the figure that counts, all figures with all views, and with a single one."""
    content = json.loads(part.results.read_text(encoding="utf-8"))
    figures, single = content["figures"], content["single_view"]
    return next(name for name in figures if name not in ("n", "failed")), figures, single


def tell_fold(part: Part) -> str:
    name, figures, single = read_results(part)
    return f"{part.name} | {figures['n']} videos | {name} {figures[name]:.3f} | 1 view {single[name]:.3f}"


def tell_start(part: Part) -> str:
    name, figures, _ = read_results(part)
    return f"{part.name} | motion, {figures['n']} videos | {name} {figures[name]:.3f} | {part.folder}"


def finish(parts: Sequence[Part], table: FoldTable, seeds: Sequence[int], whole: Path, *, allow_missing: bool) -> int:
    """Print the table and the last line, write results.json; the exit status."""
    rows = []
    for part, (fold, seed) in zip(parts, [(fold, seed) for seed in seeds for fold in table.folds], strict=True):
        name, figures, single = read_results(part)
        rows.append({"fold": fold, "seed": seed, **figures, "single_view": single[name], "folder": str(part.folder)})
    name = read_results(parts[0])[0]
    by_fold = {fold: [row for row in rows if row["fold"] == fold] for fold in table.folds}
    fold_means = {fold: statistics.fmean(row[name] for row in own) for fold, own in by_fold.items()}
    seed_means = {seed: statistics.fmean(row[name] for row in rows if row["seed"] == seed) for seed in seeds}
    mean, spread = statistics.fmean(fold_means.values()), statistics.stdev(fold_means.values())

    print(" ".join(["fold", *(f"{f'seed {seed}':>8}" for seed in seeds), "  videos"]))
    for fold, own in by_fold.items():
        print(" ".join([f"{fold:>4}", *(f"{row[name]:8.3f}" for row in own), f"{own[0]['n']:8}"]))
    print(" ".join(["mean", *(f"{seed_means[seed]:8.3f}" for seed in seeds), f"{len(table.rows):8}"]))
    failed = sum(row["failed"] for row in rows)
    if failed:
        print(f"{failed} videos could not be decoded and count as wrong; test/failed.csv of each fold lists them")
    of_seeds = f" and {len(seeds)} seeds" if len(seeds) > 1 else ""
    line = f"mean {name} {mean:.2f} ± {spread:.2f} over {len(table.folds)} folds{of_seeds}"
    results = {
        "line": line,
        "figure": name,
        "mean": mean,
        "spread": spread,
        "spread_is": f"{SPREAD} of the mean over the seeds" if len(seeds) > 1 else SPREAD,
        "failed": failed,
        "seeds": {str(seed): value for seed, value in seed_means.items()},
        "folds": fold_means,
        "runs": rows,
        "list": str(table.source),
    }
    (whole / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"{whole / 'results.json'} | ± is the {results['spread_is']}")
    print(line, flush=True)
    return 1 if failed and not allow_missing else 0
