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
    media = any(BEHIND_MEDIA.search(line) for line in first_lines(path))
    for number, line in numbered_lines(path):
        if is_comment(line, root):
            comments += 1
            continue
        name, label, separator = _cut(line, path, number, root=root, reader=reader)
        if not len(builder) and not (is_media_name(name) if media else (root / name).exists()):
            raise DataError(
                f"{path}:{number}: {name!r} is neither a video's name nor on disk below {root}; if the line is a "
                f"header: {UNDERSTOOD}"
            )
        if separator != " " and re.search(r"\t|::" if separator in ("\t", "::") else re.escape(separator), label):
            columns = label.count(separator) + 2
            if not reader.is_name(label) and not label.startswith('"'):
                raise DataError(
                    f"{path}:{number}: {columns} columns; write `path{separator}class`, or a header that says which "
                    f"columns these are; {UNDERSTOOD}"
                )
        builder.add(name, (reader.label(unquoted(label), line=number),))
    found = builder.columns(relabel=reader.relabel())
    notes = comment_notes(comments)
    return Records.from_columns(found, root=root, source=path, form="paths", notes=notes), reader.names()


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
