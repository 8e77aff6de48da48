"""vidtok train --cfg CFG: train a network, and test it at the end."""

from collections.abc import Sequence

from vidtok.cli import add_overrides, parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Train a network. A run that was stopped goes on where its folder's newest checkpoint stands.\n"
        "Many processes: torchrun --nproc-per-node N tools/train_net.py --cfg …"
    )
    cli.add_argument("--cfg", required=True, help="config file, or the name of one that comes with vidtok")
    cli.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="CHECKPOINT",
        help="go on from this checkpoint where the run's folder has none; alone: insist that the folder has one",
    )
    cli.add_argument(
        "--new-segment",
        action="store_true",
        help="go on although the config has changed, with another rate or more steps: a new segment of the run",
    )
    cli.add_argument(
        "--allow-missing", action="store_true", help="exit with 0 even if test videos could not be decoded"
    )
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    from vidtok.runs.train import run_train

    with told_in_options(args):
        trained = run_train(args.cfg, args.overrides, resume=args.resume, new_segment=args.new_segment)
    if not trained.finished:
        return 130
    return 1 if trained.figures is not None and trained.figures.failed and not args.allow_missing else 0
