"""vidtok profile --cfg CFG: show where the time of a training step goes."""

from collections.abc import Sequence

from vidtok.cli import add_overrides, parser


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Show where the time of a training step goes, by training for a few steps. Nothing of a run is read or kept.\n"
        "Writes profile.png, operators.txt and trace.json.gz (for chrome://tracing or ui.perfetto.dev)."
    )
    cli.add_argument("--cfg", required=True, help="config file, or the name of one that comes with vidtok")
    cli.add_argument("--steps", type=int, default=20, help="steps that are timed (default: %(default)s)")
    cli.add_argument("--out", help="folder to write into; default: profile/ in the run's folder")
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    from vidtok.runs.profile import run_profile

    run_profile(args.cfg, args.overrides, steps=args.steps, out=args.out)
    return 0
