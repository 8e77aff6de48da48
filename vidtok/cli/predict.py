"""vidtok predict --model RUN VIDEO|FOLDER|LIST…: label videos by a trained model."""

from argparse import Namespace
from collections.abc import Sequence
from typing import get_args

from vidtok.choices import Backend, Device
from vidtok.cli import add_engine, parser, told_in_options
from vidtok.text.arguments import told_with


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Label videos: files, all videos of a folder, or those of lists. Each is taken as the model was fed in\n"
        "training. With --out the same command goes on where it was stopped. The exit status is 1 where videos could\n"
        "not be decoded. --timeline says what happens when in long videos, by a window that slides over each."
    )
    cli.add_argument(
        "--model",
        required=True,
        help="a run's or a saved model's folder, a checkpoint, an id on the hub, or a file of vidtok export",
    )
    cli.add_argument("sources", nargs="+", metavar="VIDEO|FOLDER|LIST|SHARDS")
    cli.add_argument("--out", metavar="FILE", help="a .csv, .jsonl or .parquet file; of timelines a folder")
    cli.add_argument("--top", type=int, default=5, help="how many of the best classes (default: %(default)s)")
    cli.add_argument("--all-scores", action="store_true", help="the scores of all classes, with --out")
    cli.add_argument("--root", help="where relative paths of a list begin (default: the list's folder)")
    cli.add_argument("--clips", type=int, default=1, help="clips over each video (default: %(default)s)")
    cli.add_argument("--crops", type=int, choices=(1, 3), default=1, help="crops of each clip (default: %(default)s)")
    cli.add_argument("--workers", type=int, default=0, help="processes that decode (default: this one)")
    cli.add_argument("--backend", choices=get_args(Backend), default="pyav", help="default: %(default)s")
    cli.add_argument("--device", choices=get_args(Device), default="auto", help="default: %(default)s")
    cli.add_argument("--allow-plugins", action="store_true", help="let the model import the modules that it names")
    cli.add_argument("--allow-missing", action="store_true", help="exit with 0 even if videos could not be decoded")
    add_engine(cli)
    timeline = cli.add_argument_group("timelines", "segments of each video, in OUT/NAME.csv, .json and .png")
    timeline.add_argument("--timeline", action="store_true", help="segments of long videos instead of one label each")
    window = "of the window (default: the clip's own, or that of the videos that fit saw)"
    timeline.add_argument("--window", type=float, metavar="SECONDS", help=window)
    timeline.add_argument("--step", type=float, metavar="SECONDS", help="between windows (default: a quarter of one)")
    timeline.add_argument("--smooth", type=float, metavar="SECONDS", help="over which scores are averaged (default: 0)")
    timeline.add_argument(
        "--min-length", type=float, metavar="SECONDS", help="of a segment (default: half of a window)"
    )
    timeline.add_argument("--cuts", action="store_true", help="look for hard cuts, which no window reaches over")
    args = cli.parse_args(arguments)
    if args.all_scores and args.out is None:
        cli.error("--all-scores needs --out")
    if args.timeline:
        given = {
            name: getattr(args, name)
            for name in ("top", "clips", "crops", "workers", "engine", "actors", "ray_address")
        }
        if other := [name for name, value in given.items() if value != cli.get_default(name)]:
            cli.error(f"--{other[0].replace('_', '-')} has no meaning with --timeline")
        return timelines(args)
    own = {"window": None, "step": None, "smooth": None, "min_length": None, "cuts": False}
    if other := [name for name, value in own.items() if getattr(args, name) != value]:
        cli.error(f"--{other[0].replace('_', '-')} is for --timeline")

    from vidtok.runs.predict import run_predict

    with told_in_options(args):
        labelled = run_predict(
            args.model,
            args.sources,
            out=args.out,
            top=args.top,
            all_scores=args.all_scores,
            root=args.root,
            clips=args.clips,
            crops=args.crops,
            workers=args.workers,
            backend=args.backend,
            device=args.device,
            allow_plugins=args.allow_plugins,
            engine=args.engine,
            actors=args.actors,
            ray_address=args.ray_address,
        )
    if args.out is not None:
        print(f"{args.out}: {labelled.done} videos labelled, {labelled.before} before, {len(labelled.failed)} failed")
    return 1 if labelled.failed and not args.allow_missing else 0


def timelines(args: Namespace) -> int:
    from vidtok.runs.timeline import run_timeline, say_summary

    with told_in_options(args), told_with({"window_seconds": "--window"}):
        labelled = run_timeline(
            args.model,
            args.sources,
            out=args.out,
            window_seconds=args.window,
            step_seconds=args.step,
            smooth_seconds=args.smooth or 0.0,
            min_seconds=args.min_length,
            cuts=args.cuts,
            all_scores=args.all_scores,
            root=args.root,
            backend=args.backend,
            device=args.device,
            allow_plugins=args.allow_plugins,
        )
    if args.out is not None:
        say_summary(args.out, labelled)
    return 1 if labelled.failed and not args.allow_missing else 0
