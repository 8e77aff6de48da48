"""Sharded checkpoints: a folder into which every process writes its own part, through torch.distributed.checkpoint.

    step_00000500.shards/
        run.pt              all that is no tensor of the model, its averages or the optimizer
        __0_0.distcp …      the tensors, a file from each process; .metadata says what lies where
        checksums.json      size and CRC-32 of every file

A folder is read by any number of processes, each of which reads what its part needs.
"""

import json
import os
import pickle
import shutil
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from vidtok.errors import CheckpointError
from vidtok.train.checkpoint import ASIDE, Checkpoint, flush, pack, read_packed, told, write_packed
from vidtok.train.parallel import Parallel

RUN, SUMS = "run.pt", "checksums.json"
CHUNK = 1 << 22


def shards_path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.shards"


def save_shards(checkpoint: Checkpoint, path: Path, parallel: Parallel) -> None:
    """Write the folder aside, all processes at once; the first one renames it when all parts are on the disk.

    Raises CheckpointError on every process when the write fails on any.
    """
    aside = path.with_name(path.name + ASIDE)
    tensors, rest = take_tensors(checkpoint)
    if parallel.is_main:
        shutil.rmtree(aside, ignore_errors=True)
        with told(path):
            aside.mkdir(parents=True)
    parallel.wait()
    problem = ""
    try:
        with told(path):
            save(tensors, storage_writer=FileSystemWriter(aside))
            if parallel.is_main:
                write_packed(pack(rest), aside / RUN)
                sums = {file.name: [file.stat().st_size, checksum(file)] for file in sorted(aside.iterdir())}
                with open(aside / SUMS, "w", encoding="utf-8") as file:
                    json.dump(sums, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                flush(aside)
    except CheckpointError as error:
        problem = str(error)
    problems = [text for text in parallel.gather(problem) if text]
    if parallel.is_main:
        if problems:
            shutil.rmtree(aside, ignore_errors=True)
        else:
            # Under a name of its own: `remove` would rename it to that of the new one, and take both away.
            old = path.with_name(f"{path.name}.old{ASIDE}")
            with told(path):
                if path.exists():
                    shutil.rmtree(old, ignore_errors=True)
                    os.replace(path, old)
                os.replace(aside, path)
                flush(path.parent)
            shutil.rmtree(old, ignore_errors=True)
    if problems:
        raise CheckpointError(problems[0])
    parallel.wait()


def verify_shards(path: Path) -> None:
    """Raise CheckpointError unless every file of the folder is there, whole, with its checksum."""
    try:
        sums = json.loads((path / SUMS).read_text(encoding="utf-8"))
        for name, (size, crc) in sums.items():
            file = path / name
            if not file.is_file() or file.stat().st_size != size or checksum(file) != crc:
                raise CheckpointError(f"{path}: damaged: {name} is missing, cut off or changed")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged, or no sharded checkpoint of vidtok: {error}") from error


def load_shards(path: Path, weights: Mapping[str, Tensor]) -> Checkpoint:
    """Read a folder, each process its part alone: tensors are split as the weights that they belong to.

    All processes call it. What belongs to none of these weights, or has another shape, is read whole.
    """

    def place(key: str, entry: TensorStorageMetadata) -> Tensor:
        part, name = key.split("/", 1)
        weight = weights.get(name.rpartition("/")[0] if part == "optimizer" else name)
        if weight is not None and weight.shape == entry.size:
            return torch.empty_like(weight, dtype=entry.properties.dtype)
        return torch.empty(entry.size, dtype=entry.properties.dtype)

    return _read(path, place, alone=False)


def load_whole(path: Path) -> Checkpoint:
    """Check a folder and read it on this process alone, all of every tensor, into the memory of the CPU."""
    verify_shards(path)
    return _read(path, lambda _, entry: torch.empty(entry.size, dtype=entry.properties.dtype), alone=True)


def read_rest(path: Path) -> Checkpoint:
    """The checkpoint without its tensors, which is soon read."""
    return read_packed(path / RUN, source=path)


def _read(path: Path, place: Callable[[str, TensorStorageMetadata], Tensor], *, alone: bool) -> Checkpoint:
    reader = SafeReader(path)
    stored = reader.read_metadata().state_dict_metadata
    tensors = {key: place(key, entry) for key, entry in stored.items() if isinstance(entry, TensorStorageMetadata)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)
        load(tensors, storage_reader=reader, no_dist=alone)
    return put_tensors(read_rest(path), tensors)


def take_tensors(checkpoint: Checkpoint) -> tuple[dict[str, Tensor], Checkpoint]:
    """The tensors by flat keys (`model/NAME`, `ema/NAME`, `optimizer/NAME/KEY`), and the checkpoint without them."""
    tensors = {f"model/{name}": tensor for name, tensor in checkpoint.model.items()}
    tensors |= {f"ema/{name}": tensor for name, tensor in checkpoint.ema.items()}
    state: dict[str, dict[str, Any]] = {}
    for name, values in checkpoint.optimizer["state"].items():
        state[name] = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
        tensors |= {f"optimizer/{name}/{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    return tensors, replace(checkpoint, model={}, ema={}, optimizer={**checkpoint.optimizer, "state": state})


def put_tensors(rest: Checkpoint, tensors: Mapping[str, Tensor]) -> Checkpoint:
    """The inverse of `take_tensors`."""
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "ema": {}}
    state = {name: dict(values) for name, values in rest.optimizer["state"].items()}
    for key, tensor in tensors.items():
        part, name = key.split("/", 1)
        if part == "optimizer":
            name, _, value = name.rpartition("/")
            state.setdefault(name, {})[value] = tensor
        else:
            parts[part][name] = tensor
    return replace(rest, **parts, optimizer={**rest.optimizer, "state": state})


def checksum(path: Path) -> int:
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc


class SafeReader(FileSystemReader):
    """torch's reader, but `.metadata`, which is a pickle, may only name what torch writes into it.

    torch would run any code that a folder from elsewhere brings in that file.
    """

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        path = Path(self.path) / ".metadata"
        try:
            with open(path, "rb") as file:
                metadata = _Unpickler(file).load()
        except Exception as error:  # a damaged pickle raises nearly anything
            raise CheckpointError(
                f"{path}: damaged, or not written by torch.distributed.checkpoint: {error}"
            ) from error
        if not isinstance(metadata, Metadata):
            raise CheckpointError(f"{path}: not written by torch.distributed.checkpoint")
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PICKLED or (module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which has no place in it")


_METADATA = "Metadata MetadataIndex ChunkStorageMetadata TensorStorageMetadata TensorProperties StorageMeta"
_PICKLED = {
    *(("torch.distributed.checkpoint.metadata", name) for name in (*_METADATA.split(), "_MEM_FORMAT_ENCODING")),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    *((module, name) for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")),
}
