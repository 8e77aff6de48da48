"""vidtok folds DIR|LIST --to DIR: divide one's own clips into folds, or into a training and a validation list."""

from collections.abc import Sequence

from vidtok.cli import add_own_clips, parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Divide a list, or a folder with a sub-folder per class, so that every part gets its share of each class and\n"
        "what belongs together stays together: labels.csv with a column `fold`, which `vidtok cross-validate` goes\n"
        "over, or with --val train.csv and val.csv for `vidtok train`; and classes.txt."
    )
    cli.add_argument("source", metavar="DIR|LIST")
    cli.add_argument("--to", required=True, metavar="DIR", help="folder to write into")
    cli.add_argument("--folds", type=int, metavar="N", help="how many (default: 5)")
    cli.add_argument("--val", type=float, metavar="SHARE", help="a validation list with this share, such as 0.2")
    add_own_clips(cli)
    args = cli.parse_args(arguments)

    from vidtok.runs.folds import run_folds

    options = {name: value for name, value in vars(args).items() if name not in ("source", "to")}
    with told_in_options(args):
        run_folds(args.source, args.to, **options)
    return 0
