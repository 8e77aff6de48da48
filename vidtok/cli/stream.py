"""vidtok stream FILE|CAMERA|RTSP --model RUN: label a video while it runs."""

from collections.abc import Sequence
from typing import get_args

from vidtok.choices import Device
from vidtok.cli import parser, told_in_options
from vidtok.text.arguments import told_with


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Say which class a video shows while it runs: a file, a camera (/dev/video0) or a stream (rtsp://…). What the\n"
        "model has computed of past time steps is kept, so that a new one is cheap. A live source does not wait: what\n"
        "comes faster than it can be computed is dropped and counted. Ctrl-C ends it, with all files whole."
    )
    cli.add_argument("source", metavar="FILE|CAMERA|RTSP")
    cli.add_argument(
        "--model", required=True, help="a run's or a saved model's folder, a checkpoint, or an id on the hub"
    )
    cli.add_argument("--out", metavar="FILE.mp4", help="the video with its running label")
    cli.add_argument("--jsonl", metavar="FILE", help="a line of JSON for each window; - for the console")
    cli.add_argument("--top", type=int, default=3, help="how many of the best classes (default: %(default)s)")
    cli.add_argument("--seconds", type=float, help="stop after so much of the video")
    cli.add_argument("--realtime", action="store_true", help="go through a file as fast as it is shown, like a camera")
    window = "of a window, for models whose clips are taken from the whole of a video (default: as fit saw them)"
    cli.add_argument("--window", type=float, metavar="SECONDS", help=window)
    whole = "also for models whose time steps cannot be computed apart: each window is computed anew"
    cli.add_argument("--whole-windows", action="store_true", help=whole)
    wait = "without a picture after which a live source is given up (default: %(default)s)"
    cli.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help=wait)
    cli.add_argument("--device", choices=get_args(Device), default="auto", help="default: %(default)s")
    cli.add_argument("--allow-plugins", action="store_true", help="let the model import the modules that it names")
    args = cli.parse_args(arguments)

    from vidtok.runs.stream import run_stream

    with told_in_options(args), told_with({"window_seconds": "--window"}):
        run_stream(
            args.model,
            args.source,
            out=args.out,
            jsonl=args.jsonl,
            realtime=args.realtime,
            whole_windows=args.whole_windows,
            window_seconds=args.window,
            seconds=args.seconds,
            top=args.top,
            timeout_seconds=args.timeout,
            device=args.device,
            allow_plugins=args.allow_plugins,
        )
    return 0
