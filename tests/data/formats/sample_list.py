"""What a sample of a form is: files, and the records that they mean."""

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidtok.types import Record


@dataclass(frozen=True, kw_only=True)
class SampleList:
    """What is on disk below a folder, and what the list in it says."""

    form: str
    source: str
    files: dict[str, str]
    media: tuple[str, ...]
    """Videos and pictures, empty ones, by their paths below `root`."""
    records: Callable[[Path], list[Record]]
    """The records, from the folder that the videos lie in."""
    classes: tuple[str, ...] | None
    root: str = "."
    detected: bool = True
    """Whether the form is found by itself."""
    options: dict[str, object] = field(default_factory=dict)
    archives: dict[str, dict[str, str]] = field(default_factory=dict)
    """Tar archives by their names, and what is in them."""

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The list and the root of the videos."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for name, members in self.archives.items():
            write_tar(folder / name, {member: text.encode() for member, text in members.items()})
        root = folder / self.root
        for name in self.media:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return folder / self.source, root


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def record(root: Path, name: str, *labels: int, **more) -> Record:
    return Record(path=root / name, labels=labels, **{"video_id": name, **more})
