"""How fast videos are read: vidtok beside a bare PyAV loop, other loaders, and naive ways to do the same.

    python tools/bench_data.py --json bench.json --videos DIR

Generated clips of 10 seconds, 340 x 256 at 30 per second, with keyframes every 12 and every 250 frames, and, with
`--videos`, real ones. A training clip is 32 frames, every second one, at a random start, and a random box of it scaled
to 224.

    a  one training clip: every loader opens the file, decodes from the keyframe before, gives 32 RGB frames, and all of
       them cut and scale these with the same function (vidtok's `crop_resize`). vidtok does it as its data loader does:
       it copies only what the box covers; `vidtok, crop_in yuv` cuts and scales before RGB. That the frames are the
       same, and what vidtok cuts out of them, is asserted.
    b  ten clips by three crops of 224: one pass for all, beside a bare loop for each clip, and for each view
    c  a training clip from a file of 720 rows with keyframes 250 apart, and from what `prepare_video` makes of it
    d  clips per second of the data loader with two workers, beside two processes with the bare loop of (a)

One thread each, in a process that keeps the memory it frees, as the loader's workers do. (a) to (c) count processor
time, (d) the clock on the wall. Loaders take turns within each round; × is the cost over that of vidtok's way (in c: of
the prepared file), round by round: the median (in c, where it depends on the start: of all rounds together), and the
lowest. `--only a --rounds 3` is a quick look.
"""

import argparse
import gc
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

import av
import numpy as np
import torch
from data_films import make_film
from data_loaders import (
    FRAMES,
    RATIO,
    RGB_LOADERS,
    SCALE,
    SIZE,
    SPAN,
    STRIDE,
    Clip,
    bare,
    cropped,
    draw_or_none,
    vidtok_clip,
    vidtok_rgb,
    vidtok_yuv,
)
from torch import Tensor

from vidtok.data.dataset import VideoDataset
from vidtok.data.geometry import crop_boxes
from vidtok.data.loader import TrainBatches, make_loader
from vidtok.data.transforms import cut_box
from vidtok.data.views import ResizedCrop, TestViews, TrainViews
from vidtok.data.worker import keep_freed_memory
from vidtok.types import Box, Record
from vidtok.video.prepare import prepare_video
from vidtok.video.protocols import ClipRule
from vidtok.video.reader import open_video
from vidtok.video.sample import linspace_starts

CLIPS, CROPS = 10, 3
PARTS = {"a": 12, "b": 4, "c": 48, "d": 5}  # rounds


@dataclass(frozen=True)
class Line:
    """One line of the table: what one way costs, and how many times that of vidtok's way."""

    part: str
    files: str
    what: str
    milliseconds: float | None
    ratio: float
    lowest: float
    target: str = ""
    holds: bool | None = None
    note: str = ""


# ---- measuring ----


def cost(work: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    gc.collect()
    before = time.process_time()
    work()
    return 1e3 * (time.process_time() - before)


def lines(
    part: str,
    files: str,
    costs: dict[str, list[float]],
    *,
    base: str,
    targets: dict[str, tuple[str, float]],
    of_sums: bool = False,
) -> list[Line]:
    """A line for each way, its cost over that of `base`. A target is a sign and a number."""
    found = []
    for what, own in costs.items():
        ratios = [a / b for a, b in zip(own, costs[base], strict=True)]
        ratio = sum(own) / sum(costs[base]) if of_sums else statistics.median(ratios)
        sign, bound = targets.get(what, ("", 0.0))
        holds = {"": None, "≥": ratio >= bound, ">": ratio > bound, "<": ratio < bound}[sign]
        target = f"{sign} {bound:g}" if sign else ""
        found.append(Line(part, files, what, statistics.median(own), ratio, min(ratios), target, holds))
    return found


def same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and int((a.int() - b.int()).abs().max()) <= 1


def part_a(groups: dict[str, list[Path]], rounds: int) -> Iterator[Line]:
    targets = {name: (">", 1.0) for name in RGB_LOADERS if name != "bare PyAV loop"}
    targets |= {"bare PyAV loop": ("≥", 0.90), "vidtok, crop_in yuv": ("<", 1.0)}
    for group, files in groups.items():
        real = group.startswith("real")
        rng = random.Random(0)
        ways: dict[str, Callable[[Clip], Tensor]] = {name: partial(cropped, load) for name, load in RGB_LOADERS.items()}
        ways |= {"vidtok": vidtok_clip, "vidtok, crop_in yuv": vidtok_yuv}
        usable: list[Path] = []
        missing: dict[str, str] = {}
        others: dict[str, int] = {}
        for file in files:
            clip = draw_or_none(file, rng)
            if clip is None or not same(bare(clip), vidtok_rgb(clip)):
                others["bare PyAV loop"] = others.get("bare PyAV loop", 0) + 1
                continue
            assert torch.equal(vidtok_clip(clip), cropped(vidtok_rgb, clip)), f"another crop of {file}"
            usable.append(file)
            for name, load in RGB_LOADERS.items():
                try:
                    if name not in missing and not same(load(clip), vidtok_rgb(clip)):
                        others[name] = others.get(name, 0) + 1
                except ImportError:
                    missing[name] = "not installed"
                except (RuntimeError, OSError, ValueError) as error:
                    missing[name] = f"fails: {str(error).strip().splitlines()[0][:60]}"
        if not usable:
            continue
        assert real or not others, f"other frames than vidtok's: {others}"
        costs: dict[str, list[float]] = {name: [] for name in ways if name not in missing}
        for turn in range(max(1, rounds // 6) if real else rounds):
            for file in usable if real else usable * 2:
                clip = draw_or_none(file, rng)
                assert clip is not None
                order = list(costs)
                random.Random(turn).shuffle(order)
                for name in order:
                    costs[name].append(cost(partial(ways[name], clip)))
        found = lines("a", group, costs, base="vidtok", targets=targets)
        for line in found:
            unlike = (
                "files too short, or in which it seeks wrongly" if line.what == "bare PyAV loop" else "other frames"
            )
            note = f"{unlike}: {others[line.what]} of {len(files)}" if line.what in others else ""
            yield Line(**{**asdict(line), "note": note})
        for name, why in missing.items():
            yield Line("a", group, name, 0.0, 0.0, 0.0, note=why)


def all_views(path: str, *, how: str) -> Tensor:
    """Ten clips by three crops of a file whose short side is 256: (v f c y x)."""
    rule = ClipRule(frames=FRAMES, stride=STRIDE)
    views = TestViews(clip=rule, size=SIZE, short_side=256, clips=CLIPS, crops=CROPS)
    if how == "vidtok":
        rng = np.random.default_rng(0)
        with open_video(path) as video:
            return views.cut(video, views.views(video.pts_seconds, rng), rng)
    with av.open(path) as container:
        stream = container.streams.video[0]
        length, time_base = stream.frames, stream.time_base or Fraction(1)
    cut = []
    for start in linspace_starts(length, SPAN, CLIPS):
        ticks = tuple(round(Fraction(start + k * STRIDE, 30) / time_base) for k in range(FRAMES))
        clip = Clip(path, start, ticks, (Fraction(0), Fraction(0)), Box(top=0, left=0, height=1, width=1))
        frames = None
        for crop in range(CROPS):
            frames = bare(clip) if frames is None or how == "each view" else frames
            cut.append(cut_box(frames, crop_boxes(*frames.shape[-2:], size=SIZE, crops=CROPS)[crop]))
    return torch.stack(cut)


def peak_bytes(path: str, how: str) -> int | None:
    """What a process's resident memory grows by at most, in a process of its own; None where that cannot be told."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, __file__, "--peak", how, "--videos", path]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(path: str, how: str) -> None:
    def resident(name: str) -> int:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split(f"{name}:")[1].split()[0])

    bare(Clip(path, 0, (0,), (Fraction(0), Fraction(0)), Box(top=0, left=0, height=1, width=1)))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of the imports
    before = resident("VmRSS")
    all_views(path, how=how)
    print(resident("VmHWM") - before)


def part_b(groups: dict[str, list[Path]], rounds: int) -> Iterator[Line]:
    for group, bound in (("keyframes every 12", 5.0), ("keyframes every 250", 9.0)):
        path = str(groups[group][0])
        ways = ("vidtok", "each clip", "each view")
        expected = all_views(path, how="vidtok")
        assert all(same(all_views(path, how=how), expected) for how in ways[1:]), "other views than vidtok's"
        del expected
        costs: dict[str, list[float]] = {how: [] for how in ways}
        for _ in range(rounds):
            for how in ways:
                costs[how].append(cost(partial(all_views, path, how=how)))
        targets = {"each clip": ("≥", 1.3), "each view": ("≥", bound)}
        yield from lines("b", group, costs, base="vidtok", targets=targets)
        peaks = {how: peak_bytes(path, how) for how in ways}
        for how, peak in peaks.items():
            if peak is not None and peaks["vidtok"]:
                ratio = peak / peaks["vidtok"]
                holds = None if how == "vidtok" else ratio > 1
                target = "" if how == "vidtok" else "> 1"
                note = f"peak memory: {peak / 2**20:.0f} MiB"
                yield Line("b", group, f"{how}, memory", None, ratio, ratio, target, holds, note)


def part_c(folder: Path, seconds: float, rounds: int) -> Iterator[Line]:
    source = make_film(folder / "720.mp4", gop=250, seconds=seconds, size=(720, 1280))
    target = folder / "prepared.mp4"
    prepare_video(source, target)
    rng = random.Random(0)
    costs: dict[str, list[float]] = {"720 rows, keyframes every 250": [], "prepared": []}
    for _ in range(rounds):
        state = rng.getstate()
        for name, path in zip(costs, (source, target), strict=True):
            rng.setstate(state)
            clip = draw_or_none(path, rng)
            assert clip is not None
            costs[name].append(cost(partial(vidtok_clip, clip)))
    note = f"{source.stat().st_size / 2**20:.2f} MiB become {target.stat().st_size / 2**20:.2f}"
    targets = {"720 rows, keyframes every 250": ("≥", 12.0)}
    for line in lines("c", "720 rows", costs, base="prepared", targets=targets, of_sums=True):
        yield Line(**{**asdict(line), "note": note if line.what == "prepared" else ""})


def bare_worker(files: list[str], clips: int, seed: int, ready, start) -> None:
    torch.set_num_threads(1)
    rng = random.Random(seed)
    drawn = [draw_or_none(Path(rng.choice(files)), rng) for _ in range(clips + 1)]
    todo = [clip for clip in drawn if clip is not None]
    cropped(bare, todo[0])
    ready.release()
    start.wait()
    for clip in todo[1:]:
        cropped(bare, clip)
    ready.release()


def bare_rate(files: list[Path], clips: int, seed: int) -> float:
    """Clips per second of two processes, from the moment when both are warm until both are done."""
    context = multiprocessing.get_context("fork")
    ready, start = context.Semaphore(0), context.Event()
    names = [str(file) for file in files]
    workers = [
        context.Process(target=bare_worker, args=(names, clips // 2, seed + k, ready, start), daemon=True)
        for k in (0, 1)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    before = time.monotonic()
    start.set()
    for _ in workers:
        ready.acquire()
    seconds = time.monotonic() - before
    for worker in workers:
        worker.join()
    return clips // 2 * 2 / seconds


def loader_rate(files: list[Path], clips: int, seed: int) -> float:
    """Clips per second of the loader; the first batches, for which the workers start, are not counted."""
    batch, warm = 4, 4
    views = TrainViews(
        clip=ClipRule(frames=FRAMES, stride=STRIDE), size=SIZE, crop=ResizedCrop(scale=SCALE, ratio=RATIO), flip=True
    )
    records = [Record(path=file, labels=(0,), video_id=file.name) for file in files]
    dataset = VideoDataset(records, views=views, seed=seed)
    batches = TrainBatches(records=len(records), batch=batch, steps=warm + clips // batch, seed=seed)
    before, counted = 0.0, 0
    for number, got in enumerate(make_loader(dataset, batches, workers=2)):
        assert not got.failures
        if number >= warm:
            counted += len(got)
        elif number == warm - 1:
            before = time.monotonic()
    return counted / (time.monotonic() - before)


def part_d(groups: dict[str, list[Path]], rounds: int, clips: int) -> Iterator[Line]:
    for group, files in groups.items():
        if group.startswith("real"):
            continue
        costs: dict[str, list[float]] = {"loader, 2 workers": [], "two bare loops": []}
        for turn in range(rounds):
            costs["loader, 2 workers"].append(1e3 / loader_rate(files, clips, turn))
            costs["two bare loops"].append(1e3 / bare_rate(files, clips, turn))
        for line in lines("d", group, costs, base="loader, 2 workers", targets={"two bare loops": ("≥", 0.9)}):
            yield Line(**{**asdict(line), "note": f"{1e3 / line.milliseconds:.1f} clips per second"})


# ---- the run ----


def table(found: list[Line]) -> str:
    rows = ["| part | files | way | ms | × | lowest | target | |", "|---|---|---|---|---|---|---|---|"]
    for line in found:
        milliseconds = "" if line.milliseconds is None else f"{line.milliseconds:.1f}"
        numbers = f"{milliseconds} | {line.ratio:.2f} | {line.lowest:.2f}" if line.ratio else "| |"
        mark = {None: "", True: "holds", False: "MISSED"}[line.holds]
        rest = ", ".join(word for word in (mark, line.note) if word)
        rows.append(f"| {line.part} | {line.files} | {line.what} | {numbers} | {line.target} | {rest} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts; all where not given")
    parser.add_argument("--rounds", type=int, help=f"for every part; where not given {PARTS}")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the generated clips, at least 2.5")
    parser.add_argument("--videos", help="a folder of real videos for part a")
    parser.add_argument("--json", type=Path, help="write the lines here as well")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    av.logging.set_level(av.logging.PANIC)
    keep_freed_memory()
    if args.peak:
        return print_peak(args.videos, args.peak)
    found: list[Line] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = {
            f"keyframes every {gop}": [
                make_film(folder / f"{gop}_{seed}.mp4", gop=gop, seconds=args.seconds, seed=seed) for seed in (0, 1)
            ]
            for gop in (12, 250)
        }
        if args.videos:
            files = sorted(p for p in Path(args.videos).rglob("*") if p.suffix in {".mp4", ".avi", ".mkv", ".webm"})
            groups |= {f"real, {len(files)} files": files}
        parts = {
            "a": partial(part_a, groups),
            "b": partial(part_b, groups),
            "c": partial(part_c, folder, args.seconds),
            "d": partial(part_d, groups, clips=round(24 * args.seconds)),
        }
        for part in args.only:
            for line in parts[part](rounds=args.rounds or PARTS[part]):
                found.append(line)
                print(table([line]).splitlines()[-1], flush=True)
    print(f"\n{table(found)}")
    if args.json:
        args.json.write_text(json.dumps([asdict(line) for line in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
