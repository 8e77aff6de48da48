"""Files of features: rows with names and times as .npz, .safetensors or .parquet, written one row at a time."""

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vidtok.errors import ConfigError, DataError
from vidtok.runs.parquet import read_parquet, told_in_parquet, write_parquet
from vidtok.text.arrays import read_arrays

ENDINGS = (".npz", ".safetensors", ".parquet")


@dataclass(frozen=True, kw_only=True)
class FeatureRow:
    """One clip of a video: where its features stand, in a file with `features` and `seconds`."""

    name: str
    file: Path
    row: int

    def read(self, key: str) -> np.ndarray:
        with safe_open(self.file, framework="np") as file:
            return file.get_slice(key)[self.row : self.row + 1][0]


def write_features(path: Path, rows: Sequence[FeatureRow], *, told: str) -> None:
    """The rows as one file, whole or not at all; one is in memory at a time. Raises ConfigError where shapes differ."""
    first = rows[0].read("features").shape
    for row in rows:
        if (shape := row.read("features").shape) != first:
            raise ConfigError(f"{row.name}: features of {shape}, where {rows[0].name} has {first}")
    if path.suffix == ".parquet":
        columns = [
            ("name", "string"),
            ("seconds", "list float64"),
            ("features", "list float32"),
            ("shape", "list int64"),
        ]
        cells = (
            [row.name, row.read("seconds").tolist(), row.read("features").ravel().tolist(), list(first)] for row in rows
        )
        write_parquet(path, columns, cells, told=told)
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        (_write_npz if path.suffix == ".npz" else _write_safetensors)(aside, rows, told)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def read_features(path: Path) -> tuple[str, dict[str, tuple[Tensor, Tensor]]]:
    """What features follow from, and by name those of each video, `v … d`, with their seconds, `v f`.

    Raises ConfigError for a file that holds something else.
    """
    try:
        if path.suffix == ".parquet":
            _, found = read_parquet(path)
            told, cells = told_in_parquet(path), list(found)
            names = [row[0] for row in cells]
            features = np.array([np.reshape(row[2], row[3]) for row in cells], np.float32)
            seconds = np.array([row[1] for row in cells], np.float64)
        elif path.suffix == ".npz":
            arrays = read_arrays(path)
            told, names = str(arrays["told"]), arrays["names"].tolist()
            features, seconds = arrays["features"], arrays["seconds"]
        else:
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                told, names = metadata["told"], json.loads(metadata["names"])
                features, seconds = file.get_tensor("features"), file.get_tensor("seconds")
    except (OSError, KeyError, ValueError, IndexError, SafetensorError, DataError) as error:
        raise ConfigError(f"{path}: no features of vidtok; name another file, or remove it") from error
    places: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        places.setdefault(name, []).append(row)
    return told, {
        name: (torch.from_numpy(features[own]), torch.from_numpy(seconds[own])) for name, own in places.items()
    }


def _write_npz(path: Path, rows: Sequence[FeatureRow], told: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in (("told", np.array(told)), ("names", np.array([row.name for row in rows]))):
            with archive.open(f"{key}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
        for key in ("seconds", "features"):
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                _write_rows(file, rows, key)


def _write_rows(file: Any, rows: Sequence[FeatureRow], key: str) -> None:
    one = rows[0].read(key)
    header = {
        "descr": np.lib.format.dtype_to_descr(one.dtype),
        "fortran_order": False,
        "shape": (len(rows), *one.shape),
    }
    np.lib.format.write_array_header_2_0(file, header)
    for block in _blocks(rows, key):
        file.write(block)


def _write_safetensors(path: Path, rows: Sequence[FeatureRow], told: str) -> None:
    """By hand, since the library wants whole tensors: the header's length, the header, the tensors' bytes."""
    header: dict[str, Any] = {
        "__metadata__": {"format": "pt", "told": told, "names": json.dumps([row.name for row in rows])}
    }
    at = 0
    for key, dtype in (("seconds", "F64"), ("features", "F32")):  # the larger alignment first
        one = rows[0].read(key)
        size = one.nbytes * len(rows)
        header[key] = {"dtype": dtype, "shape": [len(rows), *one.shape], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key in ("seconds", "features"):
            for block in _blocks(rows, key):
                file.write(block)


def _blocks(rows: Sequence[FeatureRow], key: str) -> Iterator[bytes]:
    for row in rows:
        yield row.read(key).tobytes()
