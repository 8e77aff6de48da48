"""Turn a list of any form into vidtok's own CSV, and say what is missing on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from vidtok.choices import Part
from vidtok.data.csv_list import write_csv
from vidtok.data.formats.disk import near_names
from vidtok.data.lists import check_labels, describe, missing_rows, open_list, read_classes
from vidtok.errors import ConfigError, DataError
from vidtok.runs.folders import make_folder
from vidtok.text.console import say

NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


def run_lists(
    source: str | Path,
    to: str | Path,
    *,
    format: str = "auto",
    root: str | Path | None = None,
    classes: str | Path | None = None,
    part: Part = "train",
    options: Mapping[str, object] = NO_OPTIONS,
) -> int:
    """Turn a list of any form, or a folder, into vidtok's own CSV, without the videos that are not on disk; how many.

    `options` are those of the form: none (avid), untrimmed (kinetics), fps, template, label, subset. Class names go
    to classes.txt beside the list. Raises ConfigError and DataError for what cannot be read or written.
    """
    out = Path(to)
    fps, template = options.get("fps"), options.get("template")
    if out.suffix != ".csv":
        raise ConfigError(f"--to {out}: the list is written as CSV; give it the ending .csv")
    if out.exists() and out.samefile(source):
        raise ConfigError(f"--to {out}: is the list that is read; choose another name")
    if isinstance(fps, float) and not fps > 0:
        raise ConfigError(f"--fps {fps:g}: a rate is above 0")
    if isinstance(template, str) and "{" not in template:
        raise ConfigError(f"--template {template}: it has a place for the number, such as img_{{:05}}.jpg")
    given = read_classes(classes) if classes else None
    records, names = open_list(source, root=root, classes=given, format=format, part=part, options=options)
    say(describe(records))
    if names is not None:
        check_labels(records, names, several=True)

    missing = list(missing_rows(records, range(len(records))))
    near = near_names(records, missing)
    missing = [row for row in missing if row not in near]
    if near:
        first = next(iter(near))
        say(
            f"{len(near)} names differ from those on disk in backslashes, accents or the case of letters, such as "
            f"{records[first].path}; they are written as on disk: {near[first]}"
        )
    if len(missing) == len(records):
        raise DataError(
            f"{source}: none of its {len(records)} videos is on disk, the first: {records[0].path}\n"
            "Name the folder that they lie in with --root; nothing is written."
        )
    gone = set(missing)
    rows = [row for row in range(len(records)) if row not in gone]
    kept = records.subset(rows, names=near) if gone or near else records
    if names is not None and given is None:
        write_classes(out.parent / "classes.txt", names)
    write_csv(out, kept, classes=names)
    say(f"written: {out}, {len(kept)} records" + (f", {len(names)} classes" if names else ""))
    if missing:
        listed = "".join(f"\n  {records[row].path}" for row in missing[:3])
        say(f"{len(missing)} of {len(records)} videos are not on disk and are left out, the first of them:{listed}")
    return len(missing)


def write_classes(path: Path, classes: Sequence[str]) -> None:
    """Write the class file; one that is there already and differs raises ConfigError."""
    if path.exists() and read_classes(path) != tuple(classes):
        raise ConfigError(
            f"{path}: is there already and names other classes. For a validation list give the classes of the training "
            f"list, --classes {path}; else write into another folder, or remove it."
        )
    make_folder(path.parent, option="--to")
    path.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
