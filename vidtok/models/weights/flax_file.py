"""Reading the checkpoint files of flax (msgpack) and the .npz files of ViT, without flax or JAX."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack
import torch
from jaxtyping import Shaped
from torch import Tensor

from vidtok.errors import CheckpointError, DataError
from vidtok.text.arrays import read_arrays

# Where training code of different ages keeps the parameters, looked for in this order.
PARAMETERS = (("optimizer", "target"), ("opt", "target"), ("target",), ("params",))
NDARRAY, COMPLEX, SCALAR = 1, 2, 3
CHUNKED = "__msgpack_chunked_array__"
# The .npz files count a block's parts together, scenic by kind.
NPZ_NAMES = (
    (re.compile(r"/MultiHeadDotProductAttention_1/"), "/MultiHeadDotProductAttention_0/"),
    (re.compile(r"/LayerNorm_2/"), "/LayerNorm_1/"),
    (re.compile(r"/MlpBlock_3/"), "/MlpBlock_0/"),
    (re.compile(r"^head/"), "output_projection/"),
)


def read_flax(path: Path) -> dict[str, Tensor]:
    """The parameters of a flax checkpoint as a flat dictionary with keys such as `Transformer/encoder_norm/scale`.

    Optimizer slots, counters and random states are left in the file. Raises CheckpointError for a file that cannot be
    read or that holds no parameters.
    """
    try:
        tree = msgpack.unpackb(path.read_bytes(), ext_hook=_extension, strict_map_key=False)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    except (ValueError, msgpack.UnpackException, KeyError) as error:
        raise CheckpointError(f"{path}: not a whole flax checkpoint (msgpack): {error}") from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: a flax checkpoint is a dictionary, this is {type(tree).__name__}")
    for place in PARAMETERS:
        found: Any = tree
        for key in place:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict) and found:
            return flatten(found)
    places = ", ".join("/".join(place) for place in PARAMETERS)
    raise CheckpointError(f"{path}: no parameters under any of {places}; it has {', '.join(map(str, tree))}")


def read_vit_npz(path: Path) -> dict[str, Tensor]:
    """The arrays of a ViT's .npz file (Dosovitskiy et al., arXiv 2010.11929) under the names that scenic has."""
    try:
        arrays = {key: torch.from_numpy(array) for key, array in read_arrays(path).items()}
    except (DataError, TypeError) as error:  # of kinds of numbers that torch has not
        raise CheckpointError(str(error)) from error
    named = {}
    for key, array in arrays.items():
        for pattern, name in NPZ_NAMES:
            key = pattern.sub(name, key)
        named[key] = array
    return named


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """A tree of tensors as one dictionary, keys joined by `/`; empty branches vanish, chunked arrays become whole."""
    flat: dict[str, Tensor] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= {name: _joined(value)} if CHUNKED in value else flatten(value, f"{name}/")
        elif isinstance(value, Tensor):
            flat[name] = value
        else:
            raise CheckpointError(f"{name}: an array was expected, this is {type(value).__name__}")
    return flat


def _joined(value: Mapping[str, Any]) -> Shaped[Tensor, "..."]:
    """An array that was too large for one entry: a dictionary of flat chunks, and its shape, both counted from "0"."""
    chunks = [value["chunks"][str(i)] for i in range(len(value["chunks"]))]
    shape = [int(value["shape"][str(i)]) for i in range(len(value["shape"]))]
    return torch.cat(chunks).reshape(shape)


def _extension(code: int, data: bytes) -> Any:
    if code in (NDARRAY, SCALAR):
        shape, dtype, buffer = msgpack.unpackb(data)
        known = getattr(torch, dtype, None)
        if not isinstance(known, torch.dtype):
            raise ValueError(f"arrays of type {dtype!r}")
        values = torch.frombuffer(bytearray(buffer), dtype=known) if buffer else torch.empty(0, dtype=known)
        return values.reshape(shape)
    if code == COMPLEX:
        return complex(*msgpack.unpackb(data))
    raise ValueError(f"an entry of the unknown kind {code}")
