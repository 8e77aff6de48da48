"""How each mixer's cost grows with frames, picture and tokens per time step: exponents beside the papers' claims.

    python tools/bench_scaling.py --json scaling.json --plot docs/scaling.png
    python tools/bench_scaling.py --only super_token multi_axis --axes frames --repeats 9
    python tools/bench_scaling.py --quick                                 width 192 and fewer sizes: within a minute

A mixer stands alone, with the width and heads of ViViT-B, and takes the tokens that tubelets of 2 x 16 x 16 give:

    frames     frames of one picture size, 192 x 192 (144 tokens for each time step)
    picture    rows and columns at 16 frames; windows and cells divide every usual one
    tokens     learned tokens for each time step, as TokenLearner leaves them, at 16 frames; no grid is left, so that
               mixers which need one have no row

An exponent is the slope of log cost over log tokens by least squares: of medians of seconds, with the lowest and the
highest of single turns, and of multiply-adds. `super_token` is taken apart: its attention among super tokens is run by
itself on as many, and `the rest` is what the whole mixer takes beyond that in the same turn. `products` are the
multiply-adds of tokens with tokens alone, without linear layers, which are not timed by themselves.
Turns go through all mixers and sizes, up and down in turn. A pass that would take longer than --limit, by the line
through its last two sizes, is not run; the table says so, and its multiply-adds are counted all the same.
"""

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

import torch
from einops import rearrange
from scaling_views import AMONG, REST, WHOLE, plot, table
from torch import Tensor, nn

from vidtok.models.cost import Cost, count_cost
from vidtok.nn.mixers import MIXERS, make_mixer
from vidtok.nn.mixers.mhsa import MHSA
from vidtok.nn.mixers.super_token import SuperToken

TUBELET = (2, 16, 16)
AXES = ("frames", "picture", "tokens")
GRIDS: Mapping[str, Mapping[str, Any]] = {
    "multi_axis": {"name": "multi_axis", "window": (2, 4, 4), "partition": "block"},
    "multi_axis_grid": {"name": "multi_axis", "window": (2, 4, 4), "partition": "grid"},
    "super_token": {"name": "super_token", "cells": (2, 2, 2)},
}
"""Mixers with sizes of their own, which divide every usual grid here: filled-up tokens would bend the lines."""
PRODUCTS, AMONG_PRODUCTS = "products", "products of super tokens"
ALLOCATOR = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""What changes how the C library gets memory, which bends the lines of large tensors."""
TIMED = (WHOLE, REST, AMONG)
FILL = 0.02
"""Seconds that are filled with passes of a small grid, of which the mean is taken."""
FULL: Mapping[str, Any] = {
    "width": 768,
    "frames": [8, 16, 32, 64, 128],
    "sizes": [128, 192, 256, 320, 384],
    "tokens": [1, 2, 4, 8, 16, 32],
    "repeats": 5,
}
QUICK: Mapping[str, Any] = {
    "width": 192,
    "frames": [8, 16, 32, 64],
    "sizes": [128, 192, 256],
    "tokens": [1, 4, 16],
    "repeats": 3,
}
"""What options are without being given, and with --quick."""
Grid = tuple[int, int, int]


class Claim(NamedTuple):
    """What a paper says of how the cost of a mixer, or of a part of it, grows with tokens; and this project's bar."""

    mixer: str
    part: str
    words: str
    bar: float | None
    """Highest exponent of seconds, over frames in `BAR_RANGE`."""
    source: str


BAR_RANGE = (8, 64)
WITHIN = 0.05
EXPONENTS: Mapping[str, float] = {"linear": 1.0, "quadratic": 2.0}
"""A claim is borne out where the exponent of multiply-adds is at most `WITHIN` away."""
VIVIT = "Arnab et al., ViViT, arXiv 2103.15691, section 3.3, Model 1"
STVIT = "Huang et al., STViT, arXiv 2211.11167, section 3.2"
MAXVIT = "Tu et al., MaxViT, arXiv 2204.01697, section 3.2"
CLAIMS = (
    Claim("mhsa", PRODUCTS, "quadratic", None, VIVIT),
    Claim("super_token", REST, "linear", 1.15, STVIT),
    Claim("super_token", AMONG_PRODUCTS, "quadratic", None, STVIT),
    Claim("multi_axis", WHOLE, "linear", 1.15, MAXVIT),
    Claim("multi_axis_grid", WHOLE, "linear", 1.15, MAXVIT),
    Claim("conv_additive", WHOLE, "linear", 1.15, "Zhang et al., CAS-ViT, arXiv 2408.03703, section 3.2"),
    Claim("separable", WHOLE, "linear", None, "Mehta and Rastegari, MobileViTv2, arXiv 2206.02680, section 3.1"),
    Claim("efficient_additive", WHOLE, "linear", None, "Shaker et al., SwiftFormer, arXiv 2303.15446, section 3.1"),
)


def specs() -> dict[str, Mapping[str, Any]]:
    """What is measured: every mixer of the registry, and the second partition of `multi_axis`."""
    names = sorted({*MIXERS, *GRIDS}, key=lambda name: (name != "mhsa", name))
    return {name: GRIDS.get(name, {"name": name}) for name in names}


# -- axes -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Sizes in rising order, and the grid of tokens of each."""

    name: str
    title: str
    sizes: Sequence[int]
    grid: Callable[[int], Grid]
    fit: tuple[int, int]
    """Smallest and largest size of the fit."""
    needs: str
    """Why a mixer that needs the grid has no row; empty where it has one."""


def make_axes(args: argparse.Namespace) -> list[Axis]:
    def clip(frames: int, size: int) -> Grid:
        return frames // TUBELET[0], size // TUBELET[1], size // TUBELET[2]

    within = [frames for frames in args.frames if BAR_RANGE[0] <= frames <= BAR_RANGE[1]] or args.frames
    every = [
        Axis(
            name="frames",
            title=f"frames of {args.size} x {args.size} pixels",
            sizes=sorted(set(args.frames)),
            grid=lambda frames: clip(frames, args.size),
            fit=(min(within), max(within)),
            needs="",
        ),
        Axis(
            name="picture",
            title=f"rows and columns in pixels, {args.at_frames} frames",
            sizes=sorted(set(args.sizes)),
            grid=lambda size: clip(args.at_frames, size),
            fit=(min(args.sizes), max(args.sizes)),
            needs="",
        ),
        Axis(
            name="tokens",
            title=f"tokens for each time step, {args.at_frames} frames",
            sizes=sorted(set(args.tokens)),
            # Mixers that need no grid flatten all axes, so that a row of tokens is the same to them as learned ones.
            grid=lambda tokens: (args.at_frames // TUBELET[0], 1, tokens),
            fit=(min(args.tokens), max(args.tokens)),
            needs="needs the grid, which TokenLearner does not leave",
        ),
    ]
    return [axis for axis in every if axis.name in args.axes]


# -- counting and measuring -------------------------------------------------------------------------------------------


class Alone(nn.Module):
    """A mixer as `count_cost` asks networks: its clip is the grid, with the width in the place of the colours."""

    def __init__(self, mixer: nn.Module):
        super().__init__()
        self.mixer = mixer

    def forward(self, clip: Tensor) -> Tensor:
        return self.mixer(rearrange(clip, "b t d h w -> b t h w d"))


def count_parts(mixer: nn.Module, grid: Grid, width: int) -> dict[str, int]:
    """Multiply-adds of one pass, of the whole mixer and of its parts."""
    costs = count_cost(Alone(mixer), frames=grid[0], size=grid[1:], colours=width)
    parts = {WHOLE: costs["mixer"].macs}
    if isinstance(mixer, SuperToken) and mixer.gathers:
        among = costs["mixer.refine"].macs
        parts |= {REST: parts[WHOLE] - among, AMONG: among}
        parts[AMONG_PRODUCTS] = without_linear(costs, "mixer.refine", mixer.refine)
    elif isinstance(mixer, MHSA):
        parts[PRODUCTS] = without_linear(costs, "mixer", mixer)
    return parts


def without_linear(costs: Mapping[str, Cost], name: str, module: nn.Module) -> int:
    linear = [child for child, part in module.named_children() if isinstance(part, nn.Linear)]
    return costs[name].macs - sum(costs[f"{name}.{child}"].macs for child in linear)


def make_calls(mixer: nn.Module, tokens: Tensor) -> dict[str, Callable[[], Tensor]]:
    """What is timed: a pass of the mixer, and one of the attention among super tokens on as many of them."""
    calls = {WHOLE: lambda: mixer(tokens)}
    if isinstance(mixer, SuperToken) and mixer.gathers:
        cells = [math.ceil(size / cell) for size, cell in zip(tokens.shape[1:4], mixer.cells, strict=True)]
        supers = torch.randn(tokens.shape[0], *cells, tokens.shape[-1], generator=torch.Generator().manual_seed(3))
        calls[AMONG] = lambda: mixer.refine(supers)
    return calls


def seconds_of(call: Callable[[], Tensor], clock: Callable[[], float]) -> float:
    """Of one pass; small ones are repeated until `FILL` is full."""
    began, passes = clock(), 0
    while True:
        call()
        passes += 1
        took = clock() - began
        if took >= FILL:
            return took / passes


def expected(points: Sequence[tuple[int, float]], tokens: int) -> float | None:
    """Seconds by the line through the logarithms of the last two points `(tokens, seconds)`; None before there are."""
    if len(points) < 2:
        return None
    (n, before), (m, last) = points[-2:]
    return last * (tokens / m) ** (math.log(last / before) / math.log(m / n))


def fit_exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """The slope of log cost over log size by least squares; None with fewer than two sizes."""
    if len(points) < 2:
        return None
    x, y = ([math.log(value) for value in values] for values in zip(*points, strict=True))
    middle, level = statistics.mean(x), statistics.mean(y)
    return sum((a - middle) * (b - level) for a, b in zip(x, y, strict=True)) / sum((a - middle) ** 2 for a in x)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A mixer at one size: what is called, and the seconds of each turn; `skipped` is what a pass would have taken."""

    mixer: str
    size: int
    calls: Mapping[str, Callable[[], Tensor]]
    turns: dict[str, list[float]]
    skipped: float | None = None


def first_passes(
    mixers: Mapping[str, nn.Module],
    axis: Axis,
    *,
    width: int,
    limit: float,
    clock: Callable[[], float],
) -> list[Place]:
    """The places of an axis, smallest first: each is passed through once or twice, or left out as too slow."""
    seen: dict[str, list[tuple[int, float]]] = {name: [] for name in mixers}
    places = []
    for size in axis.sizes:
        grid = axis.grid(size)
        tokens = torch.randn(1, *grid, width, generator=torch.Generator().manual_seed(2))
        for name, mixer in mixers.items():
            ahead = expected(seen[name], math.prod(grid))
            if ahead is not None and ahead > limit:
                places.append(Place(mixer=name, size=size, calls={}, turns={}, skipped=ahead))
                continue
            calls = make_calls(mixer, tokens)
            took = [seconds_of(call, clock) for call in calls.values()]
            if took[0] < limit / 20:  # the first pass makes ready what later ones find
                took = [seconds_of(call, clock) for call in calls.values()]
            seen[name].append((math.prod(grid), took[0]))
            places.append(Place(mixer=name, size=size, calls=calls, turns={part: [] for part in calls}))
    return places


def measure(axis: Axis, chosen: Mapping[str, Any], args: argparse.Namespace, clock: Callable[[], float]) -> dict:
    """An axis as the file has it: a row for each mixer and part, with points, exponents and verdicts."""
    left_out = [name for name, mixer in chosen.items() if axis.needs and mixer.needs_grid]
    mixers = {name: mixer for name, mixer in chosen.items() if name not in left_out}
    with torch.inference_mode():
        places = first_passes(mixers, axis, width=args.width, limit=args.limit, clock=clock)
        for turn in range(args.repeats):
            for place in places[::-1] if turn % 2 else places:
                for part, call in place.calls.items():
                    place.turns[part].append(seconds_of(call, clock))
    rows = []
    for name, mixer in mixers.items():
        counts = {size: count_parts(mixer, axis.grid(size), args.width) for size in axis.sizes}
        for part in counts[axis.sizes[0]]:
            own = {place.size: place for place in places if place.mixer == name}
            points = [
                {
                    "size": size,
                    "tokens": math.prod(axis.grid(size)),
                    "macs": counts[size][part],
                    "turns": turns_of(own[size], part),
                    "expected_seconds": own[size].skipped if part in TIMED else None,
                }
                for size in axis.sizes
            ]
            rows.append({"mixer": name, "part": part, **judge(name, part, points, axis)})
    return {
        "axis": axis.name,
        "title": axis.title,
        "fit": axis.fit,
        "rows": rows,
        "left_out": [{"mixer": name, "why": axis.needs} for name in left_out],
    }


def turns_of(place: Place, part: str) -> list[float] | None:
    """Seconds of a part in each turn; None of what is not run, or not timed by itself."""
    if part == REST and place.turns:
        pairs = zip(place.turns[WHOLE], place.turns[AMONG], strict=True)
        return [whole - among for whole, among in pairs]
    return place.turns.get(part)


def judge(mixer: str, part: str, points: list[dict[str, Any]], axis: Axis) -> dict[str, Any]:
    """Medians, exponents over the range of the fit, and what becomes of the paper's claim and of the bar."""
    for point in points:
        point["seconds"] = None if point["turns"] is None else statistics.median(point["turns"])
    inside = [point for point in points if axis.fit[0] <= point["size"] <= axis.fit[1]]
    timed = [point for point in inside if point["turns"] is not None]
    # A difference of two times may come out at nothing or less, which has no logarithm and is no measurement.
    if any(min(point["turns"]) <= 0 for point in timed):
        timed = []
    turns = range(min((len(point["turns"]) for point in timed), default=0))
    single = [fit_exponent([(point["tokens"], point["turns"][turn]) for point in timed]) for turn in turns]
    slope = fit_exponent([(point["tokens"], point["seconds"]) for point in timed])
    counted = fit_exponent([(point["tokens"], point["macs"]) for point in inside])
    claim = next((claim for claim in CLAIMS if (claim.mixer, claim.part) == (mixer, part)), None)
    bar = claim.bar if claim is not None and axis.name == "frames" else None
    whole_range = axis.fit == BAR_RANGE and len(timed) == len(inside)
    return {
        "points": points,
        "exponent_seconds": slope,
        "exponents_of_turns": [value for value in single if value is not None],
        "seconds_fitted_to": timed[-1]["size"] if slope is not None else None,
        "exponent_macs": counted,
        "claim": None if claim is None else claim.words,
        "source": None if claim is None else claim.source,
        "borne_out": None if claim is None or counted is None else abs(counted - EXPONENTS[claim.words]) <= WITHIN,
        "bar": bar,
        "bar_met": None if bar is None or slope is None or not whole_range else slope <= bar,
    }


def processor() -> str:
    """The processor's name where Linux tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--only", nargs="+", choices=specs(), default=[*specs()], help="these mixers (default: all)")
    cli.add_argument("--axes", nargs="+", choices=AXES, default=[*AXES], help="what grows (default: each in turn)")
    cli.add_argument("--quick", action="store_true", help="width 192, 3 heads, fewer sizes, 3 turns")
    cli.add_argument("--width", type=int, help="default: 768, ViViT-B's")
    cli.add_argument("--heads", type=int, help="default: one for each 64 of the width")
    cli.add_argument("--frames", type=int, nargs="+", help="default: 8 16 32 64 128")
    cli.add_argument("--sizes", type=int, nargs="+", help="rows and columns in pixels (default: 128 192 256 320 384)")
    cli.add_argument("--tokens", type=int, nargs="+", help="for each time step (default: 1 2 4 8 16 32)")
    cli.add_argument("--size", type=int, default=192, help="pixels while frames grow (default: %(default)s)")
    cli.add_argument("--at-frames", type=int, default=16, help="frames while the others grow (default: %(default)s)")
    cli.add_argument("--repeats", type=int, help="turns (default: 5)")
    cli.add_argument("--limit", type=float, default=10.0, help="seconds of the longest pass (default: %(default)s)")
    cli.add_argument("--threads", type=int, default=1, help="of torch (default: %(default)s)")
    cli.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: processor seconds, of all threads")
    cli.add_argument("--plot", metavar="FILE", help="draw the figures as a PNG")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    args = cli.parse_args()
    usual = QUICK if args.quick else FULL
    for key, value in usual.items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    if args.heads is None:
        args.heads = max(1, args.width // 64)
    for option, values, step in (
        ("--frames", args.frames, TUBELET[0]),
        ("--at-frames", [args.at_frames], TUBELET[0]),
        ("--sizes", args.sizes, TUBELET[1]),
        ("--size", [args.size], TUBELET[1]),
        ("--tokens", args.tokens, 1),
    ):
        if wrong := [value for value in values if value < step or value % step]:
            cli.error(f"{option}: {wrong[0]} is no multiple of {step}" + (", a tubelet's extent" if step > 1 else ""))
    if args.repeats < 1:
        cli.error(f"--repeats counts from 1, got {args.repeats}")
    torch.set_num_threads(args.threads)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    machine = {
        "machine": platform.machine(),
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "threads": args.threads,
        "allocator": {name: value for name, value in sorted(os.environ.items()) if name.startswith(ALLOCATOR)},
    }
    run = {key: getattr(args, key) for key in ("clock", "width", "heads", "repeats", "limit")}
    about = (
        f"forward, float32, width {args.width}, {args.heads} heads, {args.clock} clock, threads={args.threads}, "
        f"torch {torch.__version__}, "
        f"{machine['processor']} ({machine['instructions']}, {machine['cores']} cores)"
    )
    about += "".join(f", {name}={value}" for name, value in machine["allocator"].items())
    print(about, flush=True)
    torch.manual_seed(0)
    mixers = {name: make_mixer(args.width, heads=args.heads, spec=specs()[name]).eval() for name in args.only}
    found = []
    for axis in make_axes(args):
        found.append(measure(axis, mixers, args, clock))
        print(f"\n{table(found[-1])}", flush=True)
    claimed = [row for axis in found for row in axis["rows"] if row["claim"]]
    print(f"\nclaims, borne out where the count's exponent is at most {WITHIN} away from 1 (linear) or 2 (quadratic):")
    for line in dict.fromkeys(f"- {row['mixer']}, {row['part']}: {row['source']}" for row in claimed):
        print(line, flush=True)
    if args.json:
        figures = {**machine, **run, "batch": 1, "axes": found}
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if args.plot:
        drawn = [axis for axis in found if axis["rows"]]
        if not drawn:
            raise SystemExit(f"--plot {args.plot}: nothing to draw, the tables have no rows")
        plot(drawn, about, Path(args.plot), names=list(specs()))


if __name__ == "__main__":
    main()
