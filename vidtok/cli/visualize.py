"""vidtok visualize --checkpoint RUN VIDEO --out MAPS.mp4: write where a network looks as a video, GIF, PNG or maps."""

import argparse
from collections.abc import Sequence
from typing import Literal, get_args

from vidtok.choices import Between
from vidtok.cli import add_overrides, parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser("Write a video beside where a network looks: its maps over the pictures, with the best classes.")
    cli.add_argument("--cfg", help="config file; default: the config that the checkpoint was trained with")
    source = cli.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", help="a run (its newest checkpoint), a checkpoint file, or a saved model")
    source.add_argument("--checkpoints", metavar="RUN", help="a run: a row for each of its checkpoints, by step")
    cli.add_argument("video", help="any video file")
    cli.add_argument(
        "--out", required=True, action="append", help="file to write: .mp4, .gif, .png or .npz (may be given again)"
    )
    cli.add_argument(
        "--kind",
        default="attention",
        help="what is shown, with commas between: attention, tokens, query, rollout, super_tokens, windows, context, "
        "gradient, time; or all, those that the network has (docs/pictures.md)",
    )
    cli.add_argument("--layer", type=count_or_all, help="of the layers that a kind can show, from 1, or all")
    cli.add_argument("--head", type=count_or_all, help="of query: a head, from 1, or all; default: their mean")
    cli.add_argument(
        "--point",
        type=point,
        metavar="X,Y,SECONDS",
        help="whose attention: pixels of the video from left and top, time",
    )
    cli.add_argument("--class", help="of gradient and time: a class by its name; default: the best one")
    cli.add_argument("--whole", action="store_true", help="all of the video, window by window, and not its centre clip")
    cli.add_argument("--window", type=float, metavar="SECONDS", help="how long windows of a whole video are")
    cli.add_argument(
        "--between", choices=get_args(Between), default="hold", help="maps of frames between two time steps"
    )
    cli.add_argument("--panel-size", type=int, help="pixels of a panel's longer side; default: 224, of a PNG 128")
    cli.add_argument(
        "--allow-plugins",
        action="store_true",
        help="import the modules that the checkpoint's own config names under plugins: their code runs here",
    )
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    from vidtok.runs.visualize import run_visualize

    with told_in_options(args):
        run_visualize(
            args.checkpoint or args.checkpoints,
            args.video,
            out=args.out,
            overrides=args.overrides,
            cfg=args.cfg,
            allow_plugins=args.allow_plugins,
            kinds=args.kind.split(","),
            layer=args.layer,
            head=args.head,
            point=args.point,
            label=getattr(args, "class"),
            whole=args.whole,
            window_seconds=args.window,
            between=args.between,
            panel_size=args.panel_size,
            over_training=args.checkpoints is not None,
        )
    return 0


def count_or_all(text: str) -> int | Literal["all"]:
    """A number from 1, or all."""
    if text == "all":
        return "all"
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1, or all, got {text!r}")
    return int(text)


def point(text: str) -> tuple[float, float, float]:
    """X,Y,SECONDS."""
    try:
        x, y, seconds = map(float, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"X,Y,SECONDS, such as 120,80,1.5, got {text!r}") from error
    return x, y, seconds
