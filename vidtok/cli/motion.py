"""vidtok motion FOLDER: make the embedded data set `motion`."""

from collections.abc import Sequence

from vidtok.cli import parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Render and encode the embedded data set: 8 kinds of motion that only the order of frames tells apart."
    )
    cli.add_argument("folder", help="folder to write the videos, train.csv, val.csv and classes.txt into")
    cli.add_argument("--train", type=int, default=3000, help="training clips (default: %(default)s)")
    cli.add_argument("--val", type=int, default=400, help="validation clips (default: %(default)s)")
    cli.add_argument("--seed", type=int, default=0, help="other seeds give other clips (default: %(default)s)")
    args = cli.parse_args(arguments)

    from vidtok.runs.motion import run_motion

    with told_in_options(args):
        run_motion(args.folder, train=args.train, val=args.val, seed=args.seed)
    return 0
