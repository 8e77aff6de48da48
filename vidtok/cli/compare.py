"""vidtok compare RUN RUN …: the figures of runs side by side, and whether they differ by more than chance."""

from collections.abc import Sequence

from vidtok.cli import parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Set the results of runs on the same videos side by side: figures with intervals, the difference of each run\n"
        "from the first one with its interval and a paired test of significance, and the videos on which they differ."
    )
    cli.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs, of their tests, or of fits; two at least")
    cli.add_argument("--out", metavar="CSV", help="write all videos on which the runs differ into this table")
    args = cli.parse_args(arguments)

    from vidtok.runs.compare import run_compare

    with told_in_options(args):
        run_compare(args.runs, out=args.out)
    return 0
