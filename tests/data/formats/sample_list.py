"""What a sample of a form is: files, and the records that they mean."""

from collections.abc import Callable
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

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The list and the root of the videos."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        root = folder / self.root
        for name in self.media:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return folder / self.source, root


def record(root: Path, name: str, *labels: int, **more) -> Record:
    return Record(path=root / name, labels=labels, **{"video_id": name, **more})
