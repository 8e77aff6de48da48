"""vidtok report RUN: the page of a test or a fit, written anew from its results."""

from collections.abc import Sequence

from vidtok.cli import parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Write report.html anew from the results of a test or a fit, which write one themselves: curves, classes,\n"
        "confusion, confidence, and the surest mistakes as videos, in one file that needs nothing else."
    )
    cli.add_argument("run", help="the folder of a run, of its test, or of a fit")
    args = cli.parse_args(arguments)

    from vidtok.runs.run_report import run_report

    with told_in_options(args):
        print(run_report(args.run))
    return 0
