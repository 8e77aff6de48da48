"""vidtok lists IN --to OUT.csv: turn a list of any form into vidtok's own CSV, and say what is missing on disk."""

import argparse
from collections.abc import Sequence
from typing import get_args

from vidtok.choices import LIST_FORMS, Part
from vidtok.cli import parser, told_in_options

OPTIONS = ("none", "untrimmed", "fps", "template", "label", "subset")


def run(arguments: Sequence[str]) -> int:
    forms = "\n".join(f"  {name:<18}{words}" for name, words in LIST_FORMS.items())
    cli = parser(
        "Turn a list of any form into vidtok's own CSV, and say which of its videos are missing on disk: these are\n"
        "left out, and the exit status is 1. Class names go to classes.txt beside it. See docs/lists.md.\n\nforms:\n"
        + forms
    )
    cli.add_argument("source", metavar="IN", help="list file, or folder with a sub-folder per class")
    cli.add_argument("--to", required=True, metavar="OUT.csv", help="file to write")
    cli.add_argument("--format", default="auto", metavar="NAME", help="form of IN (default: found by itself)")
    cli.add_argument("--root", metavar="DIR", help="folder of the videos (default: the folder of IN)")
    cli.add_argument("--classes", metavar="FILE", help="class names in the order of the labels")
    cli.add_argument(
        "--part", choices=get_args(Part), default="train", help="hmdb51, activitynet, coin, hacs_clips: which part"
    )
    cli.add_argument(
        "--none", choices=("class", "drop"), help="avid: videos without action make a class, or are left out"
    )
    cli.add_argument(
        "--untrimmed", action="store_true", default=None, help="kinetics: ID.mp4 is the whole video, not the clip"
    )
    cli.add_argument("--fps", type=float, help="rate at which folders of pictures were taken, or frames counted")
    cli.add_argument("--template", metavar="NAME", help="rawframes: picture files of a folder, such as img_{:05}.jpg")
    words = "epic_kitchens: verb, noun or action; coin: task or step; elan: the tier; via: the attribute"
    cli.add_argument("--label", metavar="NAME", help=words)
    cli.add_argument("--subset", metavar="NAME", help="activitynet, coin: a subset of another name than --part's")
    cli.add_argument("--allow-missing", action="store_true", help="exit with 0 even if videos are missing")
    args = cli.parse_args(arguments)

    from vidtok.runs.lists import run_lists

    with told_in_options(args):
        missing = run_lists(
            args.source,
            args.to,
            format=args.format,
            root=args.root,
            classes=args.classes,
            part=args.part,
            options=options(args),
        )
    return 1 if missing and not args.allow_missing else 0


def options(args: argparse.Namespace) -> dict[str, object]:
    """The options of forms that were given."""
    return {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
