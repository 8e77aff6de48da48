"""vidtok demo: everything once, from an embedded data set to an attention video."""

from collections.abc import Sequence

from vidtok.cli import add_overrides, parser


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Make the embedded data set, train on it, test with 4x3 views and controls, write the attention video."
    )
    cli.add_argument("--out", default="runs/demo", help="folder for everything (default: %(default)s)")
    cli.add_argument("--cfg", default="motion_vivit_tl8", help="config (default: %(default)s)")
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    from vidtok.runs.demo import run_demo

    return run_demo(args.out, cfg=args.cfg, overrides=args.overrides)
