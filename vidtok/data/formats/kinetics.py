"""The official CSV files of Kinetics: which part of which YouTube video shows what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.data.classes import ClassIndex
from vidtok.data.csv_list import csv_header, csv_rows
from vidtok.data.formats.disk import MediaFinder
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError

COLUMNS = ("label", "youtube_id", "time_start", "time_end")
SPLITS = {"train": ("train",), "validate": ("val", "validate"), "val": ("val", "validate"), "test": ("test",)}
Result = tuple[Records, tuple[str, ...] | None]


@dataclass(frozen=True, kw_only=True)
class KineticsRow:
    """A clip; `place` says where in the list it stands, and `written` how it writes its times."""

    place: str
    label: str
    id: str
    start: float
    end: float
    split: str
    written: tuple[str, str] | None = None


def read_kinetics(path: Path, *, root: Path, classes: Sequence[str] | None = None, untrimmed: bool = False) -> Result:
    """`label,youtube_id,time_start,time_end,split[,is_cc]` of Kinetics-400, 600 and 700; videos are found by their ids.

    The first that is there counts, with any ending of a video:

        root/                ID_000010_000020.mp4
        root/LABEL/          ID_10_20.mp4
        root/SPLIT/          ID.mp4
        root/SPLIT/LABEL/

    LABEL is found whatever its case and punctuation, `air_drumming` too. With `untrimmed`, `ID.mp4` is the whole video
    and the record is the part of it from time_start to time_end; else it is taken for the part itself. A video that is
    not there gets its usual name, LABEL/ID_000010_000020.mp4, by which it is then missed.
    """
    rows = csv_rows(path)
    places = csv_header(path, rows, COLUMNS)

    def clips() -> Iterator[KineticsRow]:
        at = [places[name] for name in COLUMNS]
        at_split = places.get("split", -1)
        for line, row in rows:
            if len(row) != len(places):
                raise DataError(f"{path}:{line}: {len(row)} cells, but the header has {len(places)}")
            label, youtube_id, start, end = (row[place].strip() for place in at)
            if not label:
                raise DataError(f"{path}:{line}: no label; lists without labels cannot be trained on or tested with")
            if not (_is_number(start) and _is_number(end) and float(start) <= float(end)):
                raise DataError(f"{path}:{line}: time_start and time_end are seconds, not {start!r} and {end!r}")
            yield KineticsRow(
                place=f"{path}:{line}",
                label=label,
                id=youtube_id,
                start=float(start),
                end=float(end),
                split=row[at_split].strip() if at_split >= 0 else "",
                written=(start, end),
            )

    return read_rows(path, clips(), root=root, classes=classes, untrimmed=untrimmed, form="kinetics")


def read_rows(
    path: Path,
    rows: Iterable[KineticsRow],
    *,
    root: Path,
    classes: Sequence[str] | None,
    untrimmed: bool,
    form: str,
) -> Result:
    """The records of Kinetics' clips, whatever form their list has."""
    index, finder, builder = ClassIndex(classes, source=path), MediaFinder(root), RecordsBuilder()
    folders: dict[tuple[str, str], list[str]] = {}
    plain = 0
    for row in rows:
        usual = f"{row.id}_{int(row.start):06d}_{int(row.end):06d}"
        start, end = row.written or (f"{row.start:g}", f"{row.end:g}")
        names = (usual, f"{row.id}_{start}_{end}", row.id)
        where = row.label, row.split
        if where not in folders:
            folders[where] = _folders(*where)
        found = finder.find(names, folders=folders[where])
        whole = found is not None and Path(found.name).stem == row.id
        plain += whole
        builder.add(
            found.name if found else f"{row.label}/{usual}.mp4",
            (index.label(row.label, line=row.place),),
            video_id=usual,
            start_seconds=row.start if whole and untrimmed else None,
            end_seconds=row.end if whole and untrimmed else None,
        )
    notes = [f"{plain} files are called ID.mp4 and are taken for the trimmed clips"] if plain and not untrimmed else []
    columns = builder.columns(relabel=index.relabel())
    if not len(columns.label_ends):
        raise DataError(f"{path}: the list is empty")
    return Records.from_columns(columns, root=root, source=path, form=form, notes=notes), index.names()


def _folders(label: str, split: str) -> list[str]:
    splits = SPLITS.get(split, (split,) if split else ())
    return ["", label, *(folder for name in splits for folder in (name, f"{name}/{label}"))]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
