"""What is known of a model beside how to build and feed it: what it learned from, how good it was, and its licence."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vidtok.errors import ModelError

Figures = Mapping[str, tuple[float | None, float | None, float | None]]


@dataclass(frozen=True, kw_only=True)
class About:
    """Every part may be None: then it is not recorded, and the model's card says so. It travels in config.json."""

    data: str | None = None
    """What it learned from."""
    weights: str | None = None
    """What it began with, with the licence where that is known."""
    protocol: str | None = None
    """What it was measured on, and how."""
    figures: Figures = field(default_factory=dict)
    """Value, and both ends of its 95 % interval, by the figure's name."""
    licence: str | None = None
    """Of the model, as the hub writes it (`apache-2.0`): for whoever passes the model on to say."""

    def describe(self) -> dict[str, Any]:
        """Plain values for config.json."""
        return {**asdict(self), "figures": {name: list(ends) for name, ends in self.figures.items()}}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "About":
        """The inverse of `describe`. TypeError for unknown keys, ModelError for figures of another form."""
        figures = plain.get("figures", {})
        if not isinstance(figures, Mapping) or any(len(ends) != 3 for ends in figures.values()):
            raise ModelError(f"figures have a value and two ends each, got {figures!r}")
        return cls(**{**plain, "figures": {name: tuple(ends) for name, ends in figures.items()}})

    def measured(self, detail: Mapping[str, Any], *, protocol: str) -> "About":
        """With the figures that a test or a fit has found, in the form of its `detail`."""
        found = {name: (each["value"], each["low"], each["high"]) for name, each in detail["figures"].items()}
        return replace(self, protocol=protocol, figures=found)


def about_checkpoint(file: Path, lists: Mapping[str, str]) -> About | None:
    """What a run knows of one of its checkpoints: its list, and the figures of a test of this very file.

    `lists` are the checkpoint's own. None where nothing is known.
    """
    known = About(data=f"a list of {lists['train']} (SHA-256)") if "train" in lists else None
    run = file.parent.parent if file.parent.name == "checkpoints" else file.parent
    try:
        results = json.loads((run / "test" / "results.json").read_text(encoding="utf-8"))
        if results["checkpoint_file"] != file.name:
            return known
        return (known or About()).measured(results["detail"], protocol=results["line"])
    except (OSError, ValueError, LookupError, TypeError):
        return known  # not tested, or by an older version
