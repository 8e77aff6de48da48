"""Any file of weights into any network that it fits: the format is told by content, whose it is by the keys."""

import inspect
import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models import network_class
from vidtok.models.classifier import METADATA, WEIGHTS, Classifier, numbered
from vidtok.models.weights.flax_file import read_flax, read_vit_npz
from vidtok.models.weights.image_form import fit, unwrap
from vidtok.models.weights.pth import read_pickle
from vidtok.models.weights.report import Report
from vidtok.models.weights.schemes import Scheme, find_scheme, unknown_scheme
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.videomae import WRAPPERS
from vidtok.nn.position import resize_table


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of weights, read."""

    path: Path
    format: str
    """safetensors, npz, pickle or flax; for messages."""
    state: Mapping[str, Tensor]
    """Tensors by key, without the beginnings that wrappers of training code leave."""
    classes: tuple[str, ...] | None
    """Names of the classes, where the file gives them: those of vidtok do."""

    @property
    def scheme(self) -> Scheme | None:
        """Whose names the keys are; None for vidtok's own, or for what nobody knows."""
        return find_scheme(self.state)

    def options(self, network: str) -> dict[str, Any]:
        """The options of the network of this name that the keys tell."""
        told = {} if self.scheme is None else self.scheme.options(self.state)
        known = inspect.signature(network_class(network)).parameters
        return {key: value for key, value in told.items() if key in known}

    def load_into(self, model: Classifier) -> Report:
        """Put the weights into a model's network, of images or clips, and say what became of every key.

        The last layer is taken where it has as many classes, and not where the file names others than the model. Of
        vidtok's own weights, those for images inflate, and learned positions are resized.
        Raises CheckpointError, naming the keys, for everything else that does not fit.
        """
        network, scheme = model.network, self.scheme
        own = _own_names(self.state, network)
        try:
            if own is not None:
                unnamed = self.classes is None or model.classes == numbered(len(model.classes))
                return _load_own(model, own, other_classes=not unnamed and self.classes != model.classes)
            if scheme is None:
                raise unknown_scheme(self.state)
            if not isinstance(network, scheme.networks):
                fitting = " or ".join(cls.__name__ for cls in scheme.networks)
                raise CheckpointError(f"these weights fit {fitting}, not {type(network).__name__}")
            return scheme.load(network, self.state)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path} ({scheme.name if scheme else self.format}): {error}") from error


def read_weights(path: str | Path) -> Weights:
    """Read a file of weights: .safetensors, torch's pickles (weights alone), ViT's .npz, or flax's msgpack.

    A folder stands for the model.safetensors in it. No code that a file carries is run.
    Raises CheckpointError for a file that is missing, damaged, or of none of these formats.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / WEIGHTS).is_file():
            raise CheckpointError(f"{path}: no {WEIGHTS} in this folder; name a file of weights")
        path = path / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint file")
    format, names = file_format(path), ()
    if format == "safetensors":
        state, names = _read_safetensors(path)
    elif format == "npz":
        state = read_vit_npz(path)
    elif format == "flax":
        state = read_flax(path)
    else:
        content = read_pickle(path)
        state, names = unwrap(content, where=str(path)), content.get("classes", ())
    bare = {_bare(key): tensor for key, tensor in state.items()}
    if len(bare) < len(state):
        raise CheckpointError(f"{path}: two keys have the same name once {', '.join(WRAPPERS)} are taken off")
    return Weights(path=path, format=format, state=bare, classes=_class_names(names))


def file_format(path: Path) -> str:
    """safetensors, npz, pickle or flax, told by the file's first bytes; CheckpointError for anything else."""
    with open(path, "rb") as file:
        start = file.read(9)
    if len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size:
        return "safetensors"
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return "npz" if all(name.endswith(".npy") for name in archive.namelist()) else "pickle"
        except zipfile.BadZipFile as error:
            raise CheckpointError(f"{path}: a damaged .npz or .pth file: {error}") from error
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    if start and (0x81 <= start[0] <= 0x8F or start[0] in (0xDE, 0xDF)):  # a msgpack that begins with a dictionary
        return "flax"
    raise CheckpointError(
        f"{path}: no file of weights. Looked for: .safetensors, a .pth, .pt or .bin of torch, a .npz, "
        f"a flax checkpoint (msgpack); it begins with {start!r}"
    )


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], object]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return load_file(path), json.loads(metadata.get(METADATA, "{}")).get("class_names")
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: a damaged .safetensors file: {error}") from error


def _class_names(names: object) -> tuple[str, ...] | None:
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _bare(key: str) -> str:
    while key.startswith(WRAPPERS):
        key = key.split(".", 1)[1]
    return key


def _own_names(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor] | None:
    """The state under the network's own names, where most of its keys are that: of a whole Classifier, of its network
    alone, or of the library's network within it."""
    names = network.state_dict().keys()
    for old, new in (("network.", ""), ("", ""), ("", "body.")):
        renamed = {new + key.removeprefix(old): tensor for key, tensor in state.items()}
        if len(renamed.keys() & names) > len(state) / 2:
            return renamed
    return None


def _load_own(model: Classifier, state: Mapping[str, Tensor], *, other_classes: bool) -> Report:
    transfer, last = Transfer(model.network, state), frozenset[str]()
    if model.architecture is not None:
        last = model.architecture.last_layers(model.network.state_dict(), classes=len(model.classes))
    for key, tensor in state.items():
        shape = transfer.wants(key)
        if shape is None:
            continue  # `finish` names all of these at once
        if key in last and (other_classes or tuple(tensor.shape) != shape):
            transfer.skip(key, f"of a last layer for other classes; the network's is {shape}")
        elif key.endswith("position.table") and tuple(tensor.shape) != shape:
            transfer.note_resized(key, f"{_times(tensor.shape[:3])} -> {_times(shape[:3])}")
            transfer.put(key, _resized(transfer.take(key), shape), source=key)
        else:
            transfer.put(key, fit(transfer, transfer.take(key), shape, source=key), source=key)
    return transfer.finish(may_miss=last)


def _resized(table: Shaped[Tensor, "t h w d"], shape: tuple[int, ...]) -> Shaped[Tensor, "t2 h2 w2 d"]:
    return resize_table(table, (shape[0], shape[1], shape[2]))


def _times(sizes: tuple[int, ...] | torch.Size) -> str:
    return " x ".join(map(str, sizes))
