"""`path class` lines: the class by its name."""

import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.data.classes import LabelReader
from vidtok.data.columns import UNDERSTOOD
from vidtok.data.lines import comment_notes, first_lines, is_comment, numbered_lines, unquoted
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.video.endings import MEDIA_ENDING, is_media_name

SEPARATOR = r"\s*(?:[\t,;]|::)\s*|[ ]+"
BEHIND_MEDIA = re.compile(rf"(?:{MEDIA_ENDING})\"?(?P<separator>{SEPARATOR})(?=\S)", re.IGNORECASE)
ANYWHERE = re.compile(rf"(?P<separator>{SEPARATOR})(?=\S)")


def read_named(
    path: Path, *, root: Path, classes: Sequence[str] | None = None
) -> tuple[Records, tuple[str, ...] | None]:
    """`path class`, one video per line: `a b.mp4 playing guitar`, `a.mp4,run`, `imgs/a<TAB>playing guitar`.

    The path ends where a video's name does; where it has no ending, at a tab, comma or semicolon, or at the only space.
    What may be cut at several places is told by the classes, then by the disk, else refused. Raises DataError, which
    names file and line.
    """
    reader, builder, comments = LabelReader(classes, source=path), RecordsBuilder(), 0
    found = [match for line in first_lines(path) if (match := BEHIND_MEDIA.search(line))]
    media, plain = bool(found), found[0][0] if found else "\n"
    ending = plain[: len(plain) - len(found[0]["separator"])] if found else plain
    for number, line in numbered_lines(path):
        # Most lines are cut where the first one is, at `.mp4 `, and nothing in them could be cut elsewhere.
        head, _, tail = line.partition(plain)
        if (tail and "." not in head and "." not in tail and line[0] not in '#"' and len(builder)) and (
            tail[0] not in ' \t"' and (plain[-1] == " " or plain[-1] not in tail)
        ):
            builder.add(head + ending, (reader.label(tail, line=number),))
            continue
        if is_comment(line, root):
            comments += 1
            continue
        name, label, separator = _cut(line, path, number, root=root, reader=reader)
        if not len(builder) and not (is_media_name(name) if media else (root / name).exists()):
            raise DataError(
                f"{path}:{number}: {name!r} is neither a video's name nor on disk below {root}; if the line is a "
                f"header: {UNDERSTOOD}"
            )
        if _is_several(label, separator) and not reader.is_name(label):
            raise DataError(
                f"{path}:{number}: {label.count(separator) + 2} columns; write `path{separator}class`, or a header "
                f"that says which columns these are; {UNDERSTOOD}"
            )
        builder.add(name, (reader.label(unquoted(label), line=number),))
    columns = builder.columns(relabel=reader.relabel())
    notes = comment_notes(comments)
    return Records.from_columns(columns, root=root, source=path, form="paths", notes=notes), reader.names()


def _cut(line: str, path: Path, number: int, *, root: Path, reader: LabelReader) -> tuple[str, str, str]:
    """Path, label and what stands between them."""
    if quoted := re.fullmatch(rf'"([^"]+)"(?P<separator>{SEPARATOR})(.*\S)', line):
        return quoted[1], quoted[3], quoted["separator"].strip(" ") or " "
    cuts = [
        (unquoted(line[: match.start("separator")]), line[match.end() :], match["separator"].strip(" ") or " ")
        for match in BEHIND_MEDIA.finditer(line)
    ]
    if not cuts and not is_media_name(line):
        anywhere = [match for match in ANYWHERE.finditer(line) if match.start()]
        strong = [match for match in anywhere if match["separator"].strip(" ")][:1]
        cuts = [
            (line[: match.start()], line[match.end() :], match["separator"].strip(" ") or " ")
            for match in strong or anywhere
        ]
    cuts = [cut for cut in cuts if not is_media_name(unquoted(cut[1]))]
    for fits in (lambda cut: reader.is_name(unquoted(cut[1])), lambda cut: (root / cut[0]).exists()):
        if len(cuts) > 1 and len(fitting := [cut for cut in cuts if fits(cut)]) == 1:
            cuts = fitting
    if not cuts:
        raise DataError(f"{path}:{number}: no label behind the path in {line!r}; write `path label`")
    if len(cuts) > 1:
        raise DataError(
            f"{path}:{number}: where does the path end in {line!r}? Put a tab between path and class, or quotation "
            "marks around the path"
        )
    return cuts[0]


def _is_several(label: str, separator: str) -> bool:
    """Whether the separator stands in the label again, outside of quotes; a space may."""
    return separator != " " and separator in label and not label.startswith('"')
