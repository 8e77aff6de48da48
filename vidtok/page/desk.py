"""Everything that the server holds, in one place for its routes: models, samples, sessions, queue, labels, fits."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidtok.page.fits import Fits
from vidtok.page.jobs import Job, Queue
from vidtok.page.labels import LabelSet
from vidtok.page.limits import Limits, Refusal
from vidtok.page.sessions import Session, Sessions
from vidtok.text.console import printable


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A model that visitors can choose."""

    name: str
    source: str
    classes: tuple[str, ...]


@dataclass(kw_only=True)
class Desk:
    """What routes work on; all of it belongs to the server's own thread."""

    limits: Limits
    sessions: Sessions
    queue: Queue
    models: dict[str, Offered]
    samples: Sequence[Path] = ()
    labels: LabelSet | None = None
    fits: Fits | None = None
    uploads: int = 0
    """That are coming in."""
    previews: dict[int, Job] = field(default_factory=dict)
    """Of clips to be labelled, in a form that browsers play."""

    def model(self, name: str | None) -> Offered:
        """By name; without one, the only or first one. Refusal for a name that is not there."""
        if not self.models:
            raise Refusal(status=409, words="there is no model yet: give clips their classes, and start a fit")
        if not name:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Refusal(status=404, words=f"there is no model {name!r}; there are: {', '.join(self.models)}")
        return self.models[name]

    def sample(self, number: str) -> Path:
        """By its place. Refusal for one that is not there."""
        if not number.isascii() or not number.isdigit() or int(number[:9]) >= len(self.samples):
            raise Refusal(status=404, words="there is no such sample")
        return self.samples[int(number)]

    def new_job(self, session: Session, model: Offered, *, title: str, video: Path | None, film: bool = True) -> Job:
        """A job with a folder of its own, not yet in the queue. `video`: None for one that comes into that folder."""
        folder = session.folder / secrets.token_hex(8)
        folder.mkdir()
        task = {
            "do": "look",
            "video": str(video or folder / "video"),  # never by the visitor's own name of it
            "model": model.source,
            "title": title,
            "film": str(folder / "film.mp4") if film else None,
            "video_seconds": self.limits.video_seconds,
            "film_seconds": self.limits.film_seconds,
        }
        return Job(task=task, title=title, folder=folder, result={"model": model.name})

    def end_fit(self) -> None:
        """Offer the model of a fit that has ended well since somebody looked last."""
        if self.fits is None:
            return
        for run in self.fits.take_done():
            source = str(run / "model")
            names = {offered.source: name for name, offered in self.models.items()}
            name = names.get(source) or free_name(run.name, self.models)
            # The model's own: clips may have been given other classes since the fit began.
            own = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))["class_names"]
            self.models[name] = Offered(name=name, source=source, classes=tuple(map(printable, own)))

    def told(self) -> dict[str, Any]:
        """What the page shows before anything is chosen, for JSON."""
        return {
            "models": [{"name": each.name, "classes": each.classes} for each in self.models.values()],
            "samples": [sample_title(path) for path in self.samples],
            "limits": {
                "megabytes": self.limits.upload_megabytes,
                "bytes": self.limits.upload_bytes,
                "seconds": self.limits.video_seconds,
                "minutes": self.limits.session_minutes,
            },
            "labels": self.labels is not None,
        }


def sample_title(path: Path) -> str:
    return "".join(letter for letter in path.stem if letter.isprintable()).replace("_", " ") or "sample"


def free_name(wanted: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number where it is taken."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} {number}", number + 1
    return name


def model_name(source: str) -> str:
    """What a model is called on the page: the run's folder, for RUN/model too; the file; the id on the hub."""
    path = Path(source)
    if path.name in ("model", "checkpoints") and path.parent.name:
        return path.parent.name
    return path.stem if path.suffix in (".pt", ".safetensors", ".onnx", ".xml") else path.name or source
