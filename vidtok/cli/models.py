"""vidtok models [PATTERN]: parameters and multiply-adds of all models, or of each part of one model."""

from collections.abc import Sequence

from vidtok.cli import parser


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Print a Markdown table of all models: parameters and multiply-adds of one view, counted from shapes alone,\n"
        "beside the published figures; or with --model the same for each part of one model."
    )
    cli.add_argument("pattern", nargs="?", default="*", help="names of models, such as 'stvit*' (default: all)")
    cli.add_argument("--model", metavar="NAME", help="print the parts of this model")
    cli.add_argument("--depth", type=int, default=3, help="levels of parts to print (default: %(default)s)")
    file = cli.add_mutually_exclusive_group()
    file.add_argument("--check", metavar="FILE", help="fail if the table between the file's markers is another one")
    file.add_argument("--write", metavar="FILE", help="put the table there")
    args = cli.parse_args(arguments)

    from vidtok.runs.models import parts_table, run_models

    if args.model is not None:
        print(parts_table(args.model, depth=args.depth))
        return 0
    return run_models(args.pattern, check_file=args.check, write=args.write)
