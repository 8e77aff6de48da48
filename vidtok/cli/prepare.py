"""vidtok prepare LIST|FOLDER… OUT: make videos cheap to decode, and write the lists anew."""

from collections.abc import Sequence
from typing import get_args

from vidtok.choices import EncoderPreset
from vidtok.cli import parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Write videos anew so that random clips are cheap to decode: small pictures, a keyframe every few frames, no "
        "B-frames,\nno sound. Every frame stays, at its time. Relative paths stay, but for the ending .mp4; the lists "
        "are written anew.\n\nStarted again it goes on where it stopped. The exit status is 1 where videos could not "
        "be decoded to their end: these\nare named in OUT/prepare.csv and left out of the new lists.\n\n"
        "With --cut each record of the lists, of any form, becomes a file of its own: IN_START-END.mp4,\n"
        "with the frames of that part alone. See docs/lists.md."
    )
    words = "`path label` lines, CSVs with a column path, or one folder"
    cli.add_argument("sources", nargs="+", metavar="LIST|FOLDER", help=words)
    cli.add_argument("out", metavar="OUT", help="folder to write into")
    cli.add_argument("--root", help="where relative paths of the lists begin (default: the lists' folder)")
    words = "pixels of the shorter side; smaller pictures stay as they are (default: %(default)s)"
    cli.add_argument("--short-side", type=int, default=256, help=words)
    cli.add_argument("--gop", type=int, default=16, help="frames from keyframe to keyframe (default: %(default)s)")
    words = "x264's quality, 0 (lossless) to 51; 6 more halve the bytes, about (default: %(default)s)"
    cli.add_argument("--crf", type=int, default=26, help=words)
    words = "x264's trade of its own time against bytes (default: %(default)s)"
    cli.add_argument("--preset", choices=get_args(EncoderPreset), default="medium", help=words)
    cli.add_argument("--workers", type=int, help="processes (default: one for each core)")
    words = "one file for each record of the lists, with its part of the video alone; report: OUT/cut.csv"
    cli.add_argument("--cut", action="store_true", help=words)
    cli.add_argument("--classes", metavar="FILE", help="with --cut: class names in the order of the labels")
    words = "how long a file may take to open, and to its next frame (default: %(default)g)"
    cli.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help=words)
    args = cli.parse_args(arguments)
    if args.short_side < 2 or args.short_side % 2 or args.gop < 1 or not 0 <= args.crf <= 51:
        cli.error("--short-side is even and at least 2, --gop counts from 1, --crf goes from 0 to 51")
    if (args.workers is not None and args.workers < 1) or not args.timeout > 0:
        cli.error("--workers counts from 1 and --timeout is above 0")

    if args.classes is not None and not args.cut:
        cli.error("--classes is for --cut; without it the lists' labels stay as they are")

    from vidtok.runs.cut import run_cut
    from vidtok.runs.prepare import Settings, run_prepare

    settings = Settings(short_side=args.short_side, gop=args.gop, crf=args.crf, preset=args.preset)
    with told_in_options(args):
        if args.cut:
            bad = run_cut(
                args.sources,
                args.out,
                settings=settings,
                root=args.root,
                classes=args.classes,
                workers=args.workers,
                timeout_seconds=args.timeout,
            )
            return 1 if bad else 0
        bad = run_prepare(
            args.sources,
            args.out,
            settings=settings,
            root=args.root,
            workers=args.workers,
            timeout_seconds=args.timeout,
        )
    return 1 if bad else 0
