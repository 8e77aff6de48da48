"""Divide one's own clips: into folds for cross-validation, or into a training and a validation list."""

import csv
from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from pathlib import Path

from vidtok.data.csv_list import write_csv
from vidtok.data.divide import divide
from vidtok.data.groups import join_same_files, read_groups
from vidtok.data.lists import check_labels, describe, open_list
from vidtok.errors import ConfigError, DataError
from vidtok.runs.folders import make_folder
from vidtok.runs.lists import write_classes
from vidtok.text.classes import read_classes
from vidtok.text.console import say

PARTS = 20
"""Into how many the videos are divided at most, of which some are the validation list."""


def run_folds(
    source: str | Path,
    to: str | Path,
    *,
    folds: int | None = None,
    val: float | None = None,
    group: str | None = None,
    classes: str | Path | None = None,
    root: str | Path | None = None,
    format: str = "auto",
    seed: int = 0,
) -> tuple[int, ...]:
    """Write labels.csv with columns `group` and `fold`, or train.csv and val.csv, and classes.txt into `to`.

    `folds`: how many; `val`: the share of the videos that go into val.csv, instead; neither: five folds. Each part gets
    its share of every class. Videos of one `group` (a column of the list, or a pattern with one pair of brackets for
    the paths) and files that hold the same bytes share a part. The part of each record: its fold, or 1 for validation
    and 0 for training. Raises ConfigError and DataError for what cannot be read, divided or written.
    """
    if folds is not None and val is not None:
        raise ConfigError("--folds and --val: choose one of the two")
    if val is not None and not 0 < val < 1:
        raise ConfigError(f"--val {val:g}: the share of the videos to validate with, above 0 and below 1")
    given = read_classes(classes) if classes is not None else None
    records, names = open_list(source, root=root, classes=given, format=format, part="train")
    if names is None:
        raise ConfigError(f"--classes: {source} writes labels as numbers; name a file with one class name per line")
    say(describe(records))
    check_labels(records, names, several=True)
    rows = range(len(records))
    labels, paths = [records[row].labels for row in rows], [records[row].path for row in rows]
    try:
        joined = join_same_files(read_groups(records, rows, group), paths)
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}; `vidtok lists` writes a list of what is there") from error
    if joined.copies:
        one, two = joined.copies[0]
        say(f"note: {len(joined.copies)} files are copies, such as {paths[two]} of {paths[one]}; they stay together")

    folder = make_folder(to, option="--to")
    lists = [folder / name for name in (("labels.csv",) if val is None else ("train.csv", "val.csv"))]
    if Path(source).is_file() and any(own.exists() and own.samefile(source) for own in lists):
        raise ConfigError(f"--to {folder}: holds the list that is read; choose another folder")
    write_classes(folder / "classes.txt", names)
    if val is None:
        parts = divide(labels, joined.groups, folds=5 if folds is None else folds, seed=seed)
        write_csv(lists[0], records, classes=names)
        add_columns(lists[0], {"group": list(map(str, joined.groups)), "fold": list(map(str, parts))})
    else:
        parts = divide_off(labels, joined.groups, share=val, seed=seed)
        for part, path in enumerate(lists):
            write_csv(path, records.subset([row for row in rows if parts[row] == part]), classes=names)
    for words in part_words(labels, parts, names, named=("train", "val") if val is not None else None):
        say(words)
    say(f"written: {', '.join(map(str, lists))}")
    return parts


def divide_off(
    labels: Sequence[tuple[int, ...]], groups: Sequence[Hashable], *, share: float, seed: int
) -> tuple[int, ...]:
    """1 for about this share of the records, 0 for the others. DataError where one of both would be empty."""
    near = min(max(Fraction(share).limit_denominator(PARTS), Fraction(1, PARTS)), Fraction(PARTS - 1, PARTS))
    of = min(near.denominator, len(set(groups)))
    if of < 2:
        raise DataError("all videos belong to one group; at least two are needed to validate with one of them")
    taken = min(max(round(share * of), 1), of - 1)
    return tuple(int(part < taken) for part in divide(labels, groups, folds=of, seed=seed))


def add_columns(path: Path, columns: dict[str, list[str]]) -> None:
    """Further columns of a CSV that was just written, row for row."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        head, *rows = csv.reader(file)
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*head, *columns])
        writer.writerows([*row, *own] for row, own in zip(rows, zip(*columns.values(), strict=True), strict=True))


def part_words(
    labels: Sequence[tuple[int, ...]],
    parts: Sequence[int],
    classes: Sequence[str],
    *,
    named: tuple[str, str] | None,
) -> list[str]:
    """How many videos of each class each part has, and a note on classes that a part lacks."""
    lines = []
    for part in sorted(set(parts)):
        counted = Counter(label for own, at in zip(labels, parts, strict=True) for label in own if at == part)
        name = f"fold {part}" if named is None else named[part]
        held = ", ".join(f"{told} {counted[k]}" for k, told in enumerate(classes[:8]))
        more = ", …" if len(classes) > 8 else ""
        lines.append(f"{name}: {sum(at == part for at in parts)} videos | {held}{more}")
        if lacks := [told for k, told in enumerate(classes) if not counted[k]]:
            lines.append(f"note: {name} has no video of {', '.join(lacks[:5])}: too few groups of these to go round")
    return lines
