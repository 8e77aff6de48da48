"""vidtok visualize --checkpoint RUN VIDEO --out MAPS.mp4: write what a network looks at as a video."""

from collections.abc import Sequence

from vidtok.cli import add_overrides, parser


def run(arguments: Sequence[str]) -> int:
    cli = parser("Write a video's centre clip beside its TokenLearner maps and the last layer's attention.")
    cli.add_argument("--cfg", help="config file; default: the config that the checkpoint was trained with")
    cli.add_argument("--checkpoint", required=True, help="a checkpoint file, or the folder of a run (its newest one)")
    cli.add_argument("video", help="any video file")
    cli.add_argument("--out", required=True, help="the .mp4 file to write")
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    from vidtok.runs.visualize import run_visualize

    run_visualize(args.checkpoint, args.video, out=args.out, overrides=args.overrides, cfg=args.cfg)
    return 0
