"""vidtok cross-validate --cfg CFG data.root=DIR: train and test over the folds of a data set."""

from collections.abc import Sequence

from vidtok.cli import add_overrides, parser


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Cross-validation: for each value of the column `fold` of data.root/labels.csv (a list in CSV form: path,\n"
        "label, fold …), train on the other folds and test on this one. Each fold is a run of its own, in\n"
        "run.dir/fold_K; the same command goes on where it was stopped. The config's lists are not used."
    )
    cli.add_argument("--cfg", required=True, help="config file, or the name of one that comes with vidtok")
    cli.add_argument(
        "--init",
        metavar="motion|scratch|WEIGHTS",
        help="what each fold starts from. motion: this network, trained on the embedded data set `motion`; both are "
        "made where they are missing. WEIGHTS: all that train.init takes (default: train.init)",
    )
    cli.add_argument(
        "--seeds", metavar="0,1,2", help="do all this with each seed, in run.dir/seed_S (default: run.seed)"
    )
    cli.add_argument("--folds", metavar="0,1", help="only these folds; started again without it, the others follow")
    cli.add_argument("--jobs", type=int, default=1, help="folds to train at a time (default: %(default)s)")
    cli.add_argument(
        "--start-clips", type=int, default=6400, help="clips that `--init motion` trains on (default: %(default)s)"
    )
    cli.add_argument(
        "--allow-missing", action="store_true", help="exit with 0 even if test videos could not be decoded"
    )
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)  # options and overrides in any order

    from vidtok.runs.cross_validate import run_cross_validate

    return run_cross_validate(
        args.cfg,
        args.overrides,
        init=args.init,
        seeds=args.seeds,
        folds=args.folds,
        jobs=args.jobs,
        start_clips=args.start_clips,
        allow_missing=args.allow_missing,
    )
