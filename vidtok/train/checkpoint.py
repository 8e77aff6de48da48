"""Checkpoints: everything that a bit-exact continuation needs, written whole or not at all.

Randomness needs no place in them: the data and each step's dropout follow from (seed, step).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vidtok.errors import CheckpointError

FORMAT = "vidtok checkpoint 1"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run after `step` updates: `config` is the configuration as YAML, `bad` has the videos that would not decode."""

    step: int
    model: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, Any]
    config: str
    classes: tuple[str, ...]
    bad: Mapping[int, str]


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(file for file in folder.glob("step_*.pt") if re.fullmatch(r"step_\d{8,}\.pt", file.name))


def save_checkpoint(checkpoint: Checkpoint, folder: Path, *, keep: int = 2) -> Path:
    """Write aside, flush to the disk, rename; then remove all but the newest `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(folder, checkpoint.step)
    aside = path.with_suffix(".tmp")
    content = {
        "format": FORMAT,
        "step": checkpoint.step,
        "model": dict(checkpoint.model),
        "optimizer": dict(checkpoint.optimizer),
        "config": checkpoint.config,
        "classes": list(checkpoint.classes),
        "bad": dict(checkpoint.bad),
        "versions": {"torch": str(torch.__version__)},
    }
    try:
        with open(aside, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise CheckpointError(f"{path}: the checkpoint cannot be written: {error}; the older ones are whole") from error
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint file as it is; for the folder of a run, its newest checkpoint."""
    path = Path(path)
    found = list_checkpoints(path) or list_checkpoints(path / "checkpoints") if path.is_dir() else [path]
    if not found:
        raise CheckpointError(f"{path}: no checkpoint in this folder; name a file such as {checkpoint_path(path, 500)}")
    return found[-1]


def load_checkpoint(path: str | Path, *, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint with `weights_only=True`, so that a file from elsewhere cannot run code."""
    path = Path(path)
    if not path.is_file():
        found = list_checkpoints(path.parent)
        hint = f"; found there: {', '.join(str(f) for f in found)}" if found else ""
        raise CheckpointError(f"{path}: no such checkpoint file{hint}")
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same to the user
        raise CheckpointError(f"{path}: damaged, or no checkpoint of vidtok: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of vidtok (its format is not {FORMAT!r})")
    return Checkpoint(
        step=content["step"],
        model=content["model"],
        optimizer=content["optimizer"],
        config=content["config"],
        classes=tuple(content["classes"]),
        bad=content["bad"],
    )


def load_weights(model: torch.nn.Module, state: Mapping[str, torch.Tensor], *, source: str | Path) -> None:
    """Put weights into the model they were made for; CheckpointError lists every key that does not fit."""
    own = model.state_dict()
    problems = [f"missing: {key}" for key in own if key not in state]
    problems += [f"not in this model: {key}" for key in state if key not in own]
    problems += [
        f"{key}: {tuple(state[key].shape)} in the file, {tuple(own[key].shape)} in this model"
        for key in own
        if key in state and own[key].shape != state[key].shape
    ]
    if problems:
        more = f"\n  … and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise CheckpointError(
            f"{source}: this checkpoint belongs to another model:\n  " + "\n  ".join(problems[:8]) + more
        )
    model.load_state_dict(dict(state))
