"""vidtok test --checkpoint RUN: test a checkpoint on the validation list, with many views per video."""

from collections.abc import Sequence

from vidtok.cli import add_overrides, parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser("Test a checkpoint on the validation list: eval.clips x eval.crops views per video.")
    cli.add_argument("--cfg", help="config file; default: the config that the checkpoint was trained with")
    cli.add_argument(
        "--checkpoint",
        required=True,
        help="a checkpoint file, the folder of a run (its newest one) or of a saved model, or an id on the hub",
    )
    cli.add_argument(
        "--list",
        dest="videos",
        metavar="LIST|FOLDER",
        help="the videos to test on, in place of the config's data.val; a saved model then needs no config",
    )
    cli.add_argument("--out", help="folder for results.json and predictions.csv; default: test/ in the run's folder")
    cli.add_argument("--allow-missing", action="store_true", help="exit with 0 even if videos could not be decoded")
    cli.add_argument(
        "--allow-plugins",
        action="store_true",
        help="import the modules that the checkpoint's own config names under plugins: their code runs here",
    )
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    from vidtok.runs.test import run_test

    with told_in_options(args):
        figures = run_test(
            args.checkpoint,
            args.overrides,
            cfg=args.cfg,
            videos=args.videos,
            out=args.out,
            allow_plugins=args.allow_plugins,
        )
    return 1 if figures.failed and not args.allow_missing else 0
