"""Turn a list of any form into vidtok's own CSV, and say what is missing on disk."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vidtok.cli import parser
from vidtok.data.csv_list import write_csv
from vidtok.data.formats import FORMS
from vidtok.data.lists import check_labels, describe, missing_rows, open_list, read_classes
from vidtok.errors import ConfigError, DataError

OPTIONS = ("none", "untrimmed", "fps", "template")


def run(arguments: Sequence[str]) -> int:
    forms = "\n".join(f"  {name:<18}{form.words}" for name, form in FORMS.items())
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
    cli.add_argument("--part", choices=("train", "val"), default="train", help="hmdb51: which part of the split")
    cli.add_argument(
        "--none", choices=("class", "drop"), help="avid: videos without action make a class, or are left out"
    )
    cli.add_argument(
        "--untrimmed", action="store_true", default=None, help="kinetics: ID.mp4 is the whole video, not the clip"
    )
    cli.add_argument("--fps", type=float, help="rate at which folders of pictures were taken")
    cli.add_argument("--template", metavar="NAME", help="rawframes: picture files of a folder, such as img_{:05}.jpg")
    cli.add_argument("--allow-missing", action="store_true", help="exit with 0 even if videos are missing")
    args = cli.parse_args(arguments)

    out = Path(args.to)
    if out.suffix != ".csv":
        raise ConfigError(f"--to {out}: the list is written as CSV; give it the ending .csv")
    if out.exists() and out.samefile(args.source):
        raise ConfigError(f"--to {out}: is the list that is read; choose another name")
    if args.fps is not None and not args.fps > 0:
        raise ConfigError(f"--fps {args.fps:g}: a rate is above 0")
    if args.template is not None and "{" not in args.template:
        raise ConfigError(f"--template {args.template}: it has a place for the number, such as img_{{:05}}.jpg")
    given = read_classes(args.classes) if args.classes else None
    records, classes = open_list(
        args.source, root=args.root, classes=given, format=args.format, part=args.part, options=options(args)
    )
    print(describe(records))
    if classes is not None:
        check_labels(records, classes, several=True)

    missing = list(missing_rows(records, range(len(records))))
    if len(missing) == len(records):
        raise DataError(
            f"{args.source}: none of its {len(records)} videos is on disk, the first: {records[0].path}\n"
            "Name the folder that they lie in with --root; nothing is written."
        )
    gone = set(missing)
    kept = records.subset([row for row in range(len(records)) if row not in gone]) if gone else records
    if classes is not None and given is None:
        write_classes(out.parent / "classes.txt", classes)
    write_csv(out, kept)
    print(f"written: {out}, {len(kept)} records" + (f", {len(classes)} classes" if classes else ""))
    if missing:
        listed = "".join(f"\n  {records[row].path}" for row in missing[:3])
        print(f"{len(missing)} of {len(records)} videos are not on disk and are left out, the first of them:{listed}")
    return 1 if missing and not args.allow_missing else 0


def options(args: argparse.Namespace) -> dict[str, object]:
    """The options of forms that were given."""
    return {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}


def write_classes(path: Path, classes: Sequence[str]) -> None:
    """Write the class file; one that is there already and differs raises ConfigError."""
    if path.exists() and read_classes(path) != tuple(classes):
        raise ConfigError(
            f"{path}: is there already and names other classes. For a validation list give the classes of the training "
            f"list, --classes {path}; else write into another folder, or remove it."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
