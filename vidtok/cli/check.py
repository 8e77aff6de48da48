"""vidtok check LIST|FOLDER: decode every video, and write a report and a list without the bad ones."""

from collections.abc import Sequence
from typing import get_args

from vidtok.choices import Backend
from vidtok.cli import parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Decode every frame of every video of a list or folder.\n\n"
        "Writes a report (NAME.check.csv: what each video is, and the cause for each bad one) and the list without its "
        "bad\nlines (NAME.clean.csv). Started again it goes on where it stopped: good files are not read twice, unless "
        "their size\nhas changed; bad ones are. The exit status is 1 where there are bad files."
    )
    words = "`path label` lines, a CSV with a column path, a folder, or shards (a.tar, 'train-{000..003}.tar')"
    cli.add_argument("source", metavar="LIST|FOLDER|SHARDS", help=words)
    cli.add_argument("--root", help="where relative paths of the list begin (default: the list's folder)")
    cli.add_argument("--out", help="folder for the report and the clean list (default: beside the list, in the folder)")
    cli.add_argument("--workers", type=int, help="processes (default: one for each core)")
    words = "what decodes (default: %(default)s)"
    cli.add_argument("--backend", choices=get_args(Backend), default="pyav", help=words)
    words = "how long a file may take to open, and to its next frame (default: %(default)g)"
    cli.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help=words)
    cli.add_argument("--fresh", action="store_true", help="read all files again")
    words = "leave videos with damaged frames out of the new list as bad ones are (they are named in any case)"
    cli.add_argument("--leave-out-damaged", action="store_true", help=words)
    args = cli.parse_args(arguments)
    if (args.workers is not None and args.workers < 1) or not args.timeout > 0:
        cli.error(f"--workers counts from 1 and --timeout is above 0, got {args.workers} and {args.timeout:g}")

    from vidtok.runs.check import run_check

    with told_in_options(args):
        bad = run_check(
            args.source,
            root=args.root,
            out=args.out,
            workers=args.workers,
            backend=args.backend,
            timeout_seconds=args.timeout,
            fresh=args.fresh,
            leave_out_damaged=args.leave_out_damaged,
        )
    return 1 if bad else 0
