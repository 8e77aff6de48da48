"""The videos that a command works through: those of some lists, or all of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.data.formats.folder import find_media
from vidtok.data.formats.shards import is_shards, shard_videos
from vidtok.data.list_file import ListFile, read_list_file
from vidtok.errors import DataError
from vidtok.video.source import located


@dataclass(frozen=True, kw_only=True)
class VideoSet:
    """Each video once, in the order of the lists. Names are paths as the lists write them, below `root` if relative."""

    root: Path
    names: Sequence[str]
    lists: Sequence[ListFile]
    """Empty for a folder and for shards."""
    shards: bool = False

    def path(self, name: str) -> Path:
        return located(self.root, name)


def find_videos(sources: Sequence[str | Path], *, root: str | Path | None, endings: Sequence[str]) -> VideoSet:
    """The videos of lists, whose relative paths belong to `root` (by default the lists' folder), or of one folder.

    In a folder, files with these endings count, at any depth; hidden ones do not. Of webdataset's shards, an archive or
    a pattern of several, each video has the path of its archive and its own, from where the command was called.
    DataError where there is none.
    """
    paths = [Path(source) for source in sources]
    folders = [path for path in paths if path.is_dir()]
    if folders:
        if len(paths) > 1 or root is not None:
            raise DataError(f"{folders[0]}: name one folder, or lists and their root (--root), not both")
        return VideoSet(root=folders[0], names=_in_folder(folders[0], endings), lists=())
    shards = [path for path in paths if is_shards(path)]
    if shards:
        if len(paths) > 1 or root is not None:
            raise DataError(f"{shards[0]}: name one archive or pattern, or lists and their root (--root), not both")
        return VideoSet(root=Path(), names=shard_videos(shards[0]), lists=(), shards=True)
    lists = [read_list_file(path) for path in paths]
    homes = {path.parent for path in paths}
    if root is None and len(homes) > 1:
        raise DataError(f"the lists lie in {len(homes)} folders: say with --root where their relative paths begin")
    names = dict.fromkeys(name for one in lists for name in one.names)
    return VideoSet(root=Path(root) if root is not None else homes.pop(), names=tuple(names), lists=lists)


def _in_folder(folder: Path, endings: Sequence[str]) -> tuple[str, ...]:
    found = find_media(folder, endings=endings).media
    if not found:
        raise DataError(f"{folder}: no videos in it (known endings: {' '.join(endings)})")
    return tuple(found)
