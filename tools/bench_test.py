"""What a test takes beside the network and the decoder: ten clips with three crops of real videos, all in one run.

    VIDTOK_VIDEOS=… python tools/bench_test.py
    python tools/bench_test.py --list my/val.csv --videos 8 --cfg k400_maxvit_t --json test.json

`vidtok test` runs in a process of its own, as a user starts it: imports, list, decoding by worker processes, forward
passes, figures, files and report. What it took are the processor's seconds of that process and of all its workers, and
in the same run those that passed inside of the network's forward pass. Bare decoding is measured right behind it: the
same videos once through FFmpeg's decoder, one thread, up to the last frame that a view wants, without a conversion to
RGB. Outside is all the rest. Weights are random, and the answers therefore wrong, which gives the report all its videos
to make. The clock says how long one waits: workers decode beside the network.
"""

import argparse
import csv
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.choices import Crops

NAMES = tuple(f"class {number}" for number in range(400))

VIEWS, NETWORK, FLOATS = "all views through the network", "network", "pixels to floats"
PARTS = {
    NETWORK: ("vidtok.models.network", "Network.forward"),
    FLOATS: ("vidtok.models.classifier", "Classifier.normalise"),
    "look at the list's videos": ("vidtok.runs.test", "survey"),
    VIEWS: ("vidtok.runs.test", "predict"),
    "figures and intervals": ("vidtok.runs.test", "detail_of"),
    "report": ("vidtok.runs.test", "write_report"),
}
"""Functions of a test that are timed in it: name, module, place there."""


def used() -> dict[str, float]:
    """The processor's seconds of this process, and of those that it started and that are gone."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"own": own.ru_utime + own.ru_stime, "others": others.ru_utime + others.ru_stime}


def watch(name: str, into: dict[str, float], *, inside: list[str]) -> None:
    """Have each call of this part add the seconds of this process, and of the clock, that pass inside of it.

    Of the network, which is tried before the test and asked for pictures behind it, the calls for the views alone.
    """
    module, place = PARTS[name]
    *owners, last = place.split(".")
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    inner: Callable[..., object] = getattr(owner, last)

    def timed(*arguments: object, **options: object) -> object:
        if name in (NETWORK, FLOATS) and VIEWS not in inside:
            return inner(*arguments, **options)
        inside.append(name)
        began, shown = time.process_time(), time.perf_counter()
        try:
            return inner(*arguments, **options)
        finally:
            inside.pop()
            into["seconds"] += time.process_time() - began
            into["clock"] += time.perf_counter() - shown
            into["calls"] += 1

    setattr(owner, last, timed)


def test_here(told: Path, words: list[str]) -> int:
    """In the process that is measured: `vidtok test` with these words, and what its parts took into the file `told`."""
    from vidtok.cli import guarded

    parts = {name: {"seconds": 0.0, "clock": 0.0, "calls": 0.0} for name in PARTS}
    inside: list[str] = []
    for name, into in parts.items():
        watch(name, into, inside=inside)
    start = used()["own"]
    status = guarded(importlib.import_module("vidtok.cli.test").run, words)
    told.write_text(json.dumps({"parts": parts, "start": start, **used()}))
    return status


def save_model(folder: Path, *, cfg: str) -> str:
    """Save a model of a config with random weights; what it is in words."""
    from vidtok.build import build_model
    from vidtok.config_io import find_config
    from vidtok.models.cost import count_cost

    config = find_config(cfg, ["train.init=null"])
    model = build_model(config, NAMES)
    model.save_pretrained(folder)
    frames, size = config.data.frames, config.data.size
    macs = count_cost(model.network, frames=frames, size=size)[""].macs
    return f"{cfg}: {frames} frames of {size} pixels, {macs / 1e9:.1f} G multiply-adds a view"


def decode_bare(saved: Path, listed: Path, *, clips: int, crops: Crops) -> tuple[float, int]:
    """The processor's seconds, and the frames, of all that has to be decoded for these views and nothing else."""
    import av
    import numpy as np

    from vidtok.data.dataset import clock_seconds, open_record, plan
    from vidtok.data.lists import open_list
    from vidtok.errors import DecodeError
    from vidtok.infer.predict import model_views
    from vidtok.loading import load_model

    views, seconds, frames = model_views(load_model(saved), clips=clips, crops=crops), 0.0, 0
    for record in open_list(listed)[0]:
        try:
            with open_record(record, backend="pyav") as reader:
                wanted = plan(views, record, clock_seconds(reader), np.random.default_rng(0))
        except DecodeError:
            continue  # the test counts it as failed, and what it took as outside
        last = max(int(view.indices.max()) for view in wanted)
        began = time.process_time()
        with av.open(str(record.path), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for number, _ in enumerate(container.decode(stream)):
                frames += 1
                if number == last:
                    break
        seconds += time.process_time() - began
    return seconds, frames


def write_list(path: Path, source: Path, *, most: int) -> int:
    """A list of at most so many of the source's videos, evenly taken, with nominal labels; how many they are."""
    from vidtok.runs.predict import list_videos
    from vidtok.video.sample import spread

    videos = list(list_videos([source], root=None))
    rows = spread(len(videos), most)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label"])
        table.writerows([str(videos[row].resolve()), NAMES[place % len(NAMES)]] for place, row in enumerate(rows))
    return len(rows)


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    videos = os.environ.get("VIDTOK_VIDEOS")
    default = Path(videos) / "clips_real" if videos else None
    words = "videos, or lists of them (default: clips_real of $VIDTOK_VIDEOS)"
    cli.add_argument("--list", metavar="LIST|FOLDER", type=Path, default=default, help=words)
    cli.add_argument("--videos", type=int, default=40, help="at most so many of them (default: %(default)s)")
    cli.add_argument("--cfg", default="k400_casvit_xs", help="config of the network (default: %(default)s)")
    cli.add_argument("--clips", type=int, default=10, help="default: %(default)s")
    cli.add_argument("--crops", type=int, default=3, choices=get_args(Crops), help="default: %(default)s")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    cli.add_argument("overrides", nargs="*", metavar="key.sub=value", help="of the test, such as data.workers=1")
    args = cli.parse_args()
    if args.list is None:
        cli.error("--list: which videos? (or set VIDTOK_VIDEOS)")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        listed = folder / "videos.csv"
        count = write_list(listed, args.list, most=args.videos)
        words = save_model(folder / "saved", cfg=args.cfg)
        test = ["--checkpoint", str(folder / "saved"), "--list", str(listed), "--out", str(folder / "out")]
        test += ["--allow-missing", f"eval.clips={args.clips}", f"eval.crops={args.crops}", *args.overrides]
        before, began = used()["others"], time.perf_counter()
        child = [sys.executable, __file__, "--here", str(folder / "told.json"), *test]
        done = subprocess.run(child, capture_output=True, text=True)
        clock, total = time.perf_counter() - began, used()["others"] - before
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            return done.returncode
        told = json.loads((folder / "told.json").read_text())
        bare, frames = decode_bare(folder / "saved", listed, clips=args.clips, crops=args.crops)
        failed = json.loads((folder / "out" / "results.json").read_text())["figures"]["failed"]
    rows = seconds_of(told, total=total, bare=bare)
    outside = total - rows["network, forward"] - bare
    waited = told["parts"][NETWORK]["clock"]
    print(done.stdout.splitlines()[-1])
    print(f"{words}; {count} videos, {failed} of them failed, {args.clips} x {args.crops} views, {frames} frames\n")
    print("| seconds of the processor | s | share |\n|---|---:|---:|")
    for name, seconds in rows.items():
        print(f"| {name} | {seconds:.2f} | {seconds / total:.1%} |")
    print(f"| all | {total:.2f} | 100 % |")
    print(f"| **outside of forward passes and bare decoding** | **{outside:.2f}** | **{outside / total:.1%}** |\n")
    print(f"clock: {clock:.1f} s, of which {waited:.1f} s in the network: {1 - waited / clock:.1%} outside of it")
    if args.json:
        figures = {
            "cfg": args.cfg,
            "videos": count,
            "failed": failed,
            "views": [args.clips, args.crops],
            "cores": len(os.sched_getaffinity(0)),
            "frames": frames,
            "seconds": {**rows, "all": total},
            "outside": outside / total,
            "clock": {"all": clock, "network": waited},
            "calls": told["parts"][NETWORK]["calls"],
        }
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def seconds_of(told: dict[str, Any], *, total: float, bare: float) -> dict[str, float]:
    """What each part took of the processor; together they are the total."""
    parts = {name: each["seconds"] for name, each in told["parts"].items()}
    rows = {
        "network, forward": parts[NETWORK],
        "bare decoding, measured behind the test": bare,
        "workers beside decoding: RGB, scaling, crops, batches": told["others"] - bare,
        "imports": told["start"],
        FLOATS: parts[FLOATS],
        "batches taken, logits kept": parts[VIEWS] - parts[NETWORK] - parts[FLOATS],
    }
    rows |= {name: each for name, each in parts.items() if name not in (NETWORK, FLOATS, VIEWS)}
    return {**rows, "model, list, files": total - sum(rows.values())}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        sys.exit(test_here(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main())
