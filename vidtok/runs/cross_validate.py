"""Train and test over the folds of a data set, each of them left out once."""

import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidtok.build_data import loader_workers
from vidtok.build_words import told_in_config_words
from vidtok.config import Config
from vidtok.config_io import check, find_config
from vidtok.data.folds import FoldTable, read_folds
from vidtok.data.motion import MOTION_FILES, render_motion
from vidtok.errors import ConfigError
from vidtok.runs.fold_results import finish, part_results
from vidtok.runs.parts import PartRun, prepare, run_parts

# The start: the recipe of configs/motion_vivit_tl8.yaml, whatever the network, the clip and the batch are.
START_RECORDS = 2000  # clips of motion, at most; each is seen several times
START_DATA = {"stride": 1, "scale": [0.5, 1.0], "ratio": [0.8, 1.25], "flip": False}
START_TRAIN = {"lr": 1e-3, "betas": [0.9, 0.98], "weight_decay": 0.05, "warmup_steps": 40}


@told_in_config_words()
def run_cross_validate(
    cfg: str | Path | Config,
    overrides: Sequence[str] = (),
    *,
    init: str | None = None,
    seeds: str | None = None,
    folds: str | None = None,
    jobs: int = 1,
    start_clips: int = 6400,
    allow_missing: bool = False,
) -> int:
    """Train and test over the folds of `data.root`/labels.csv, each of them left out once; the exit status.

    `init`: `motion`, `scratch`, or all that train.init takes. `seeds`: such as "0,1,2". `folds`: some of them, to try
    things out or to share the work. `jobs`: folds at a time.
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
    chosen = read_chosen(folds, table)
    some = "" if folds is None else f", of which {', '.join(chosen)} now"
    print(
        f"{table.source}: {len(table.rows)} videos, {len(table.classes)} classes, {len(table.folds)} folds{some} | "
        f"seeds {', '.join(map(str, numbers))} | {jobs} at a time | what a run says is in output.txt of its folder",
        flush=True,
    )
    if split := table.split_subjects():
        print(f"note: subject {split[0]} is in more than one fold ({len(split)} are): the figure is not for new people")

    starts, parts = [], []
    records, size = min(start_clips, START_RECORDS), motion_size(config)
    motion = motion_folder(whole, f"motion_{records}x{config.data.frames}x{size[0]}x{size[1]}")
    for seed in numbers:
        folder = whole if seeds is None else whole / f"seed_{seed}"
        begin = config.train.init if init is None else init
        if begin == "motion":
            start = start_part(config, folder / "start", motion, seed=seed, clips=start_clips)
            starts.append(start)
            begin = str(start.folder)
        for fold in chosen:
            parts.append(fold_part(config, table, fold, folder / f"fold_{fold}", seed, begin, jobs=jobs))
    for part in (*starts, *parts):
        prepare(part)
    if not all(start.is_done for start in starts):
        find_motion(motion, records=records, frames=config.data.frames, size=size)
    status = run_parts(starts, jobs=1, tell=tell_start) or run_parts(parts, jobs=jobs, tell=tell_fold)
    return status or finish(parts, table, numbers, whole, folds=chosen, allow_missing=allow_missing)


def read_seeds(text: str | None, *, default: int) -> list[int]:
    """`0,1,2` -> [0, 1, 2]."""
    words = [str(default)] if text is None else text.split(",")
    if not all(word.strip().isdecimal() for word in words) or len(set(words)) < len(words):
        raise ConfigError(f"--seeds {text}: write different whole numbers from 0 on with commas between, such as 0,1,2")
    return [int(word) for word in words]


def read_chosen(text: str | None, table: FoldTable) -> Sequence[str]:
    """`0,1` -> the folds of these names; None: all of them."""
    if text is None:
        return table.folds
    words = [word.strip() for word in text.split(",")]
    if strange := [word for word in words if word not in table.folds]:
        raise ConfigError(f"--folds {text}: there is no fold {strange[0]!r}; they are {', '.join(table.folds)}")
    if len(set(words)) < len(words):
        raise ConfigError(f"--folds {text}: name each fold once")
    return [fold for fold in table.folds if fold in words]


def changed(config: Config, **sections: Mapping[str, Any]) -> Config:
    """The config with some keys changed, checked anew."""
    tree = config.model_dump(mode="json")
    for name, keys in sections.items():
        tree[name] = {**tree[name], **keys}
    return check(tree, source="cross_validate", allow_plugins=True)


def fold_part(
    config: Config, table: FoldTable, fold: str, folder: Path, seed: int, init: str | None, *, jobs: int
) -> PartRun:
    """The run that leaves this fold out."""
    lists = {**table.lists(fold), "classes.txt": "".join(f"{name}\n" for name in table.classes)}
    own = changed(
        config,
        run={"dir": str(folder), "seed": seed},
        data={
            **{key: str(folder / name) for key, name in MOTION_FILES.items()},
            "format": "auto",
            "workers": max(1, loader_workers(None) // jobs) if config.data.workers is None else config.data.workers,
        },
        train={"init": None if init == "scratch" else init},
        eval={"after_train": True},
    )
    return PartRun(name=f"seed {seed}, fold {fold}", config=own, lists=lists)


def start_part(config: Config, folder: Path, motion: Path, *, seed: int, clips: int) -> PartRun:
    """The config's own network and clip, trained on `motion`: what every fold of a seed starts from."""
    train = {**START_TRAIN, "steps": math.ceil(clips / config.train.batch), "batch": config.train.batch}
    tree = config.model_dump(mode="json")
    kept = {name: tree["data"][name] for name in ("frames", "size", "fit", "short_side", "mean", "std", "workers")}
    tree |= {
        "run": {**tree["run"], "dir": str(folder), "seed": seed},
        "data": {**kept, **START_DATA, **{key: str(motion / name) for key, name in MOTION_FILES.items()}},
        "train": {**train, "precision": tree["train"]["precision"]},
        "eval": {"clips": 1, "crops": 1},
    }
    return PartRun(
        name=f"seed {seed}, start", config=check(tree, source="cross_validate", allow_plugins=True), lists={}
    )


def motion_size(config: Config) -> tuple[int, int]:
    """Rows and columns of the clips of `motion`: the short side of the config, and about 1.2 times as much."""
    half = math.ceil((config.data.short_side or config.data.shorter) / 2)
    return 2 * half, 2 * round(1.2 * half)


def motion_folder(whole: Path, name: str) -> Path:
    """Beside the runs, so that all of them share it; in this one's folder where an earlier start has it there."""
    return whole / name if is_rendered(whole / name) else whole.parent / name


def is_rendered(folder: Path) -> bool:
    """The lists are written last."""
    return all((folder / name).is_file() for name in MOTION_FILES.values())


def find_motion(folder: Path, *, records: int, frames: int, size: tuple[int, int]) -> None:
    """Render `motion` with clips of this form, unless it is there: aside, so that another run never finds a half."""
    if is_rendered(folder):
        return
    print(f"making the data set motion in {folder}", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
        render_motion(Path(aside) / "motion", clips_train=records, clips_val=80, frames=frames, size=size)
        if folder.is_dir() and not is_rendered(folder):
            shutil.rmtree(folder)  # a half that was left when a run was killed
        try:
            (Path(aside) / "motion").rename(folder)
        except OSError:
            if not is_rendered(folder):  # another run was quicker: theirs is the same
                raise


def tell_fold(part: PartRun) -> str:
    name, figures, single = part_results(part)
    return f"{part.name} | {figures['n']} videos | {name} {figures[name]:.3f} | 1 view {single[name]:.3f}"


def tell_start(part: PartRun) -> str:
    name, figures, _ = part_results(part)
    return f"{part.name} | motion, {figures['n']} videos | {name} {figures[name]:.3f} | {part.folder}"
