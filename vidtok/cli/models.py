"""vidtok models [PATTERN]: parameters and multiply-adds of all models, or of each part of one model."""

from collections.abc import Sequence

from vidtok.cli import parser


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Print a Markdown table of all models: parameters and multiply-adds of one view, counted from shapes alone,\n"
        "beside the published figures; or with --model the same for each part of one model."
    )
    cli.add_argument("pattern", nargs="?", help="names of models, such as 'stvit*' (default: all)")
    cli.add_argument("--model", metavar="NAME", help="print the parts of this model")
    cli.add_argument("--depth", type=int, help="levels of parts to print, with --model (default: 3)")
    file = cli.add_mutually_exclusive_group()
    file.add_argument("--check", metavar="FILE", help="fail if the table between the file's markers is another one")
    file.add_argument("--write", metavar="FILE", help="put the table there")
    args = cli.parse_args(arguments)
    if args.model is None and args.depth is not None:
        cli.error("--depth is of the parts of one model: name it with --model")
    if args.model is not None and any(value is not None for value in (args.pattern, args.check, args.write)):
        cli.error("--model prints the parts of one model: PATTERN, --check and --write are of the table of all")

    from vidtok.runs.models import parts_table, run_models

    if args.model is not None:
        print(parts_table(args.model, depth=3 if args.depth is None else args.depth))
        return 0
    return run_models("*" if args.pattern is None else args.pattern, check_file=args.check, write=args.write)
