"""Checkpoints: everything that a bit-exact continuation needs, written whole or not at all, and checked when read.

Randomness needs no place in them: the data and each step's dropout follow from (seed, step).
"""

import errno
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidtok.errors import CheckpointError, DataError
from vidtok.nn.finite import first_not_finite
from vidtok.text.arrays import check_stored

FORMAT = "vidtok checkpoint 3"
OLDER = "vidtok checkpoint 2"
"""It knew videos that failed by their rows, which another list may have moved: they are found and counted again."""
BEST = "best.pt"
ASIDE, DAMAGED = ".tmp", ".damaged"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run after `step` updates: `config` is the configuration as YAML.

    `bad` has the records that would not decode, by `Record.key`, and why.
    """

    step: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    """`state` by the names of the parameters, and `param_groups` that name them: it fits any number of processes."""
    config: str
    classes: tuple[str, ...]
    bad: Mapping[str, str]
    ema: Mapping[str, Tensor] = field(default_factory=dict)
    """The averages of the weights; empty where none are kept."""
    scaler: Mapping[str, Any] = field(default_factory=dict)
    """The state of fp16's loss scaler; empty where there is none."""
    best: Mapping[str, float | int] = field(default_factory=dict)
    """The best validation so far: its `step`, and the figure by its name; empty before the first."""
    stale: int = 0
    """Validations since the best one."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """What the lists said (`Records.fingerprint`), by their names; empty in older checkpoints, without a note of it."""
    segments: tuple[int, ...] = (0,)
    """The steps from which on the run had another configuration than before; the first is 0."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """The model as config.json of a saved one has it: network, clip, normalisation, classes; empty in old files."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The weights to use: the averages, where there are any."""
        return self.ema or self.model


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first: files, and folders `step_N.shards` of sharded ones."""
    found = [path for path in folder.glob("step_*") if re.fullmatch(r"step_\d{8,}\.(pt|shards)", path.name)]
    return sorted(found, key=lambda path: (int(path.stem.removeprefix("step_")), path.suffix))


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint as it is; for the folder of a run, its newest checkpoint."""
    path = Path(path)
    if not path.is_dir() or path.suffix == ".shards":
        return path
    found = list_checkpoints(path) or list_checkpoints(path / "checkpoints")
    if not found:
        raise CheckpointError(f"{path}: no checkpoint in this folder; name a file such as {checkpoint_path(path, 500)}")
    return found[-1]


def pack(checkpoint: Checkpoint) -> dict[str, Any]:
    """Plain types alone, which `weights_only=True` reads."""
    return {
        "format": FORMAT,
        "step": checkpoint.step,
        "model": dict(checkpoint.model),
        "optimizer": dict(checkpoint.optimizer),
        "config": checkpoint.config,
        "classes": list(checkpoint.classes),
        "bad": dict(checkpoint.bad),
        "ema": dict(checkpoint.ema),
        "scaler": dict(checkpoint.scaler),
        "best": dict(checkpoint.best),
        "stale": checkpoint.stale,
        "lists": dict(checkpoint.lists),
        "segments": list(checkpoint.segments),
        "description": dict(checkpoint.description),
        "versions": {"torch": str(torch.__version__)},
    }


def save_checkpoint(checkpoint: Checkpoint, folder: Path, *, keep: int = 2) -> Path:
    """Write `step_N.pt` into the folder, then remove all but the newest `keep`; the path of the new one."""
    path = checkpoint_path(folder, checkpoint.step)
    write_checkpoint(checkpoint, path)
    remove_old(folder, keep=keep)
    return path


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write aside, flush to the disk, rename: at every moment the file is the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ASIDE)
    with told(path):
        try:
            write_packed(pack(checkpoint), aside)
            os.replace(aside, path)
            flush(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def write_packed(content: Mapping[str, Any], path: Path) -> None:
    """`torch.save` down to the disk, which a full one refuses here at the latest."""
    with open(path, "wb") as file:
        torch.save(dict(content), file)
        file.flush()
        os.fsync(file.fileno())


CANNOT_FLUSH = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP)
"""What systems answer that cannot flush a folder: Windows opens none, some network file systems refuse the flush."""


def flush(folder: Path) -> None:
    """Bring the names in a folder to the disk too; without it a power cut may take a renaming back.

    Where the system cannot do that for a folder, the files in it are on the disk all the same, and nothing is lost but
    that. Raises OSError for what a full or broken disk answers.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in CANNOT_FLUSH:
            raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what a full or broken disk raises in here into a CheckpointError that names the file."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch's writer wraps the cause into an error of its own
        cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__ or error
        raise CheckpointError(f"{path}: the checkpoint cannot be written: {cause}; the older ones are whole") from error


def remove_old(folder: Path, *, keep: int) -> None:
    """Leave the newest `keep` checkpoints; the best one has its own name and stays."""
    for old in list_checkpoints(folder)[:-keep]:
        remove(old)


def remove(path: Path) -> None:
    if path.is_dir():
        # Renamed first, so that a half-emptied folder is never taken for a checkpoint.
        gone = path.with_name(path.name + ASIDE)
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(path, gone)
        shutil.rmtree(gone)
    else:
        path.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove what runs that were killed while writing have left."""
    for path in folder.glob(f"*{ASIDE}"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def verify_file(path: Path) -> None:
    """Read the whole file and hold every part of it against its CRC-32, which torch writes but does not look at.

    Raises CheckpointError where it is cut off or a single bit is wrong.
    """
    try:
        check_stored(path)
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except (DataError, OSError, zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise CheckpointError(f"{path}: damaged, or no checkpoint of vidtok: {error}") from error
    if wrong is not None:
        raise CheckpointError(f"{path}: damaged: the checksum of its part {wrong} is wrong")


def load_file(path: Path) -> Checkpoint:
    """Read a checkpoint of one file; CheckpointError where it is missing or damaged."""
    if not path.is_file():
        found = list_checkpoints(path.parent)
        hint = f"; found there: {', '.join(str(f) for f in found)}" if found else ""
        raise CheckpointError(f"{path}: no such checkpoint file{hint}")
    verify_file(path)
    return read_packed(path, source=path)


def read_packed(path: Path, *, source: Path) -> Checkpoint:
    """What `write_packed` wrote of a Checkpoint; `source` is the name for messages."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same to the user
        raise CheckpointError(f"{source}: damaged, or no checkpoint of vidtok: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or content.get("format") not in (FORMAT, OLDER):
        raise CheckpointError(f"{source}: not a checkpoint of vidtok (its format is not {FORMAT!r})")
    if content["format"] == OLDER:
        content = {**content, "bad": {}, "stale": 0, "lists": {}, "segments": [0]}
    return Checkpoint(
        step=content["step"],
        model=content["model"],
        optimizer=content["optimizer"],
        config=content["config"],
        classes=tuple(content["classes"]),
        bad=content["bad"],
        ema=content["ema"],
        scaler=content["scaler"],
        best=content["best"],
        stale=content["stale"],
        lists=content["lists"],
        segments=tuple(content["segments"]),
        description=content.get("description", {}),
    )


def load_weights(model: torch.nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Put weights into the model they were made for.

    Raises CheckpointError that lists every key that does not fit, or names the first weight that is not finite.
    """
    own = model.state_dict()
    check_fit(own, state, source=source)
    check_finite(state, source=source)
    model.load_state_dict(dict(state))


def check_finite(state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Raise CheckpointError that names the first of these weights with a value that is not finite."""
    if name := first_not_finite(state):
        raise CheckpointError(
            f"{source}: these weights cannot be used: {name} is not finite (an infinity or a NaN). The training that "
            "they come from went wrong; take an earlier checkpoint of it."
        )


def check_fit(own: Mapping[str, Tensor], state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Raise CheckpointError that lists every key in which the two differ, or have other shapes."""
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
