"""Where a data set's videos lie: files and frame folders found by their ids."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidtok.data.records import Records
from vidtok.text.classes import same_text
from vidtok.video.endings import VIDEO_SUFFIXES, is_hidden
from vidtok.video.frames import is_pattern
from vidtok.video.source import is_stored, is_there


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """A video file, or a folder that should hold its frames as pictures; `name` is relative to the root."""

    name: str
    is_folder: bool


class MediaFinder:
    """Finds what belongs to an id below `root`; each folder is listed once.

    A folder is found whatever its case and punctuation: `air_drumming` for `air drumming`.
    """

    def __init__(self, root: Path):
        self.root = root
        self._listings: dict[str, _Listing] = {}
        self._real: dict[str, str | None] = {"": ""}

    def find(self, ids: Sequence[str], *, folders: Sequence[str] = ("",)) -> OnDisk | None:
        """The first that is there: folder by folder, id by id, a video file before a folder of pictures."""
        for wanted in folders:
            if wanted not in self._real:
                self._real[wanted] = self._folder(wanted)
            folder = self._real[wanted]
            if folder is None:
                continue
            listing = self._list(folder)
            for name in ids:
                if name in listing.videos:
                    return OnDisk(name=os.path.join(folder, listing.videos[name]), is_folder=False)
                if name in listing.folders:
                    return OnDisk(name=os.path.join(folder, name), is_folder=True)
        return None

    def _folder(self, wanted: str) -> str | None:
        """The folder's real name relative to the root."""
        real = ""
        for part in filter(None, wanted.split("/")):
            name = self._list(real).folders_by_plain_name.get(_plain(part))
            if name is None:
                return None
            real = os.path.join(real, name)
        return real

    def _list(self, folder: str) -> "_Listing":
        if folder not in self._listings:
            listing = self._listings[folder] = _Listing()
            path = self.root / folder
            for entry in sorted(os.scandir(path), key=lambda each: each.name) if path.is_dir() else ():
                stem, suffix = os.path.splitext(entry.name)
                if is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    listing.folders.add(entry.name)
                    listing.folders_by_plain_name.setdefault(_plain(entry.name), entry.name)
                elif suffix.lower() in VIDEO_SUFFIXES:
                    listing.videos.setdefault(stem, entry.name)
        return self._listings[folder]


@dataclass(frozen=True, kw_only=True)
class _Listing:
    videos: dict[str, str] = field(default_factory=dict)
    """File names by their stems."""
    folders: set[str] = field(default_factory=set)
    folders_by_plain_name: dict[str, str] = field(default_factory=dict)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def is_on_disk(path: Path) -> bool:
    """Whether a record's file or folder is there; of `folder/img_*.jpg` the folder is looked for.

    URLs count as there: nobody asks a server for every file of a list."""
    return path.exists() or is_pattern(path) or (is_stored(path) and is_there(path))


def near_names(records: Records, missing: Sequence[int]) -> dict[int, str]:
    """For each of these rows, whose file is not there, its path below the root under nearly the same name, if any is.

    Where none of the first twenty has one, the others are not looked for.
    """
    listings: dict[Path, list[str]] = {}
    near: dict[int, str] = {}
    for place, row in enumerate(missing):
        if place == 20 and not near:
            break
        if (other := name_on_disk(records[row].path, listings=listings)) is not None:
            near[row] = str(other.relative_to(records.root) if other.is_relative_to(records.root) else other)
    return near


def name_on_disk(path: Path, *, listings: dict[Path, list[str]]) -> Path | None:
    """What is there under nearly the same name: `/` for a backslash, accents written in the other form of Unicode, or
    letters of another case, as in `.MP4`. None where nothing is, or several are. `listings` keeps what was looked at.
    """
    if is_stored(path):
        return None
    found = Path(path.anchor)
    for part in (part for piece in path.relative_to(path.anchor).parts for part in piece.split("\\") if part):
        if (found / part).exists():
            found /= part
            continue
        if found not in listings:
            listings[found] = os.listdir(found) if found.is_dir() else []
        names, near = listings[found], []
        for same in (same_text, _folded):
            near = near or [name for name in names if same(name) == same(part)]
        if len(near) != 1:
            return None
        found /= near[0]
    return found if found != path else None


def _folded(name: str) -> str:
    return same_text(name).casefold()
