"""Any file of weights into any network that it fits: the format is told by content, whose it is by the keys."""

import copy
import inspect
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models import network_class
from vidtok.models.class_names import numbered
from vidtok.models.classifier import WEIGHTS, Classifier, read_description
from vidtok.models.colours import Normalisation
from vidtok.models.presets import PRESETS
from vidtok.models.weights.flax_file import read_flax, read_vit_npz
from vidtok.models.weights.image_form import unwrap
from vidtok.models.weights.origin import Clip, Origin, clip_of, colour_words, of_description, same_normalisation
from vidtok.models.weights.own import load_own, own_names
from vidtok.models.weights.pth import read_pickle
from vidtok.models.weights.report import Report
from vidtok.models.weights.schemes import Scheme, Tokens, find_scheme, is_transformers, unknown_scheme
from vidtok.models.weights.transformers_config import read_transformers_config
from vidtok.models.weights.videomae import PREFIXES
from vidtok.models.weights.vit_parts import UnknownGrid, grid_words
from vidtok.nn.position import Grid

UNKNOWN_GRID = (
    "on which grid the weights were made is not known; their positions are made anew for {grid}. "
    "source_grid=(t, h, w) says so"
)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of weights, read."""

    path: Path
    format: str
    """safetensors, npz, pickle or flax; for messages."""
    state: Mapping[str, Tensor]
    """Tensors by key, without the beginnings that wrappers of training code leave."""
    classes: tuple[str, ...] | None
    """Names of the classes, where the file or config.json beside it gives them."""
    origin: Origin | None = None
    """The model that the weights were made in, where the file or config.json beside it describes it."""

    @property
    def scheme(self) -> Scheme | None:
        """Whose names the keys are; None for vidtok's own, or for what nobody knows."""
        return find_scheme(self.state)

    def options(self, network: str) -> dict[str, Any]:
        """The options of the network of this name that the keys tell, or the description beside them."""
        told = {} if self.scheme is None else self.scheme.options(self.state)
        if self.origin is not None and self.origin.network in (network, None):
            told |= self.origin.options
        known = inspect.signature(network_class(network)).parameters
        return {key: value for key, value in told.items() if key in known}

    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes; their numbers where a description goes without names; None where nothing tells."""
        if self.classes is not None or self.origin is None or self.scheme is None:
            return self.classes
        told = self.scheme.classes(self.state)
        return None if told is None else numbered(told)

    @property
    def normalisation(self) -> Normalisation | None:
        """How pixels were normalised for these weights: as their description says, or as all of their kind."""
        if self.origin is not None and (self.origin.own or self.origin.normalisation is not None):
            return self.origin.normalisation
        return None if self.scheme is None else self.scheme.usual

    def made_for(self, model: Classifier) -> tuple[str, ...]:
        """In words: where a model is given other clips, or other colours, than these weights were made for."""
        origin, said, theirs = self.origin, [], self.normalisation
        if theirs is not None and not same_normalisation(theirs, model.normalisation):
            said.append(
                f"the weights were made for pixels normalised by {colour_words(*theirs)}, the model normalises by "
                f"{colour_words(*model.normalisation)}"
            )
        architecture = model.architecture
        if origin is not None and origin.clip is not None and architecture is not None:
            clip = clip_of(architecture.frames, architecture.size)
            if clip != origin.clip:
                made, ours = grid_words(*origin.clip), grid_words(*clip)
                said.append(f"the weights were made for clips of {made}, the model's are {ours}")
        return tuple(said)

    def load_into(self, model: Classifier, *, source_grid: Grid | None = None, published: str | None = None) -> Report:
        """Put the weights into a model's network, of images or clips, and say what became of every key.

        The last layer is taken where it has as many classes, and not where the file names others than the model. Of
        vidtok's own weights, those for images inflate, and learned positions are resized.
        `source_grid`: time steps, rows and columns of the tokens that a foreign ViT's positions were made for. Without
        it the description beside the file tells them, or `published`, the name of the published model that the weights
        are said to be of, where its clip has as many places.
        Raises CheckpointError, naming the keys, for everything else that does not fit, and where the grid is not known.
        """
        network, scheme = model.network, self.scheme
        own = own_names(self.state, network)
        named = self.classes is not None and model.classes != numbered(len(model.classes))
        other_classes = named and self.classes != model.classes
        try:
            if source_grid is not None and (own is not None or (scheme is not None and scheme.tokens is None)):
                raise CheckpointError(
                    f"source_grid={source_grid}: no grid of these weights' positions is in question; leave it out"
                )
            if own is not None:
                return load_own(model, own, origin=self.origin, other_classes=other_classes)
            if scheme is None:
                raise unknown_scheme(self.state)
            if not isinstance(network, scheme.networks):
                fitting = " or ".join(cls.__name__ for cls in scheme.networks)
                raise CheckpointError(f"these weights fit {fitting}, not {type(network).__name__}")
            return self._load_foreign(network, scheme, source_grid, published, other_classes=other_classes)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path} ({scheme.name if scheme else self.format}): {error}") from error

    def _load_foreign(
        self, network: Any, scheme: Scheme, source_grid: Grid | None, published: str | None, *, other_classes: bool
    ) -> Report:
        state, left_out, notes = self.state, tuple[str, ...](), tuple[str, ...]()
        if other_classes:
            left_out = tuple(key for key in state if key.endswith((scheme.head, _weight_of(scheme.head))))
            state = {key: tensor for key, tensor in state.items() if key not in left_out}
        more: dict[str, Any] = {}
        if scheme.tokens is not None:
            try:
                clip = None if published is None else published_clip(published, scheme)
                more["source_grid"] = self._grid(scheme.tokens(state), network.grid, source_grid, clip)
            except UnknownGrid:
                # Weights of another network have a plainer fault, which comes first.
                scheme.load(copy.deepcopy(network).to("meta"), state)
                raise
            if more["source_grid"] is None:
                notes = (UNKNOWN_GRID.format(grid=grid_words(*network.grid)),)
        if scheme.knows_made and self.origin is not None:
            more["made"] = self.origin.options
        report = scheme.load(network, state, **more)
        reasons = tuple(f"{key} (of a last layer for other classes)" for key in left_out)
        return replace(report, skipped=report.skipped + reasons, notes=report.notes + notes)

    def _grid(self, tokens: Tokens, own: Grid, given: Grid | None, published: Clip | None) -> Grid | None:
        """The grid that the positions were made on; None where there are none, and nothing tells."""
        if given is not None:
            return given
        if self.origin is not None and self.origin.clip is not None:
            grid = tokens.grid(self.origin.clip)
            if not tokens.could_be(grid):
                raise CheckpointError(
                    f"{tokens.key}: {tokens.places} positions, but {self.origin.source} says that the grid is "
                    f"{grid_words(*grid)}"
                )
            return grid
        if published is not None and tokens.could_be(grid := tokens.grid(published)):
            return grid
        if tokens.places is None:
            return None
        # ViT's own code reads a picture's positions as a square; that the network's rows and columns are as many speaks
        # for another shape.
        side, (_, rows, columns) = math.isqrt(tokens.places), own
        if tokens.picture and side * side == tokens.places and (rows == columns or rows * columns != tokens.places):
            return 1, side, side
        raise UnknownGrid(tokens.places, source=tokens.key, picture=tokens.picture)


def published_clip(name: str, scheme: Scheme) -> Clip | None:
    """The clip of the published model of this name; None for others, and where its positions are of another kind."""
    preset = PRESETS.get(name)
    if preset is None or preset.options.get("position", "learned") != scheme.position:
        return None
    return clip_of(preset.frames, preset.size)


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
    format, names, description = file_format(path), (), None
    if format == "safetensors":
        state, description = _read_safetensors(path)
    elif format == "npz":
        state = read_vit_npz(path)
    elif format == "flax":
        state = read_flax(path)
    else:
        content = read_pickle(path)
        state, names, description = unwrap(content, where=str(path)), content.get("classes"), content.get("description")
    bare = {bare_key(key): tensor for key, tensor in state.items()}
    if len(bare) < len(state):
        raise CheckpointError(f"{path}: two keys have the same name once {', '.join(PREFIXES)} are taken off")
    if isinstance(description, Mapping) and description:
        origin = of_description(description, source=str(path))
    else:
        origin = read_transformers_config(path.parent) if is_transformers(bare) else None
    classes = _class_names(names) if origin is None else origin.classes
    return Weights(path=path, format=format, state=bare, classes=classes, origin=origin)


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
    """The tensors, and vidtok's description in the header, where there is one."""
    description = read_description(path)
    try:
        return load_file(path), description
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: a damaged .safetensors file: {error}") from error


def _class_names(names: object) -> tuple[str, ...] | None:
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _weight_of(bias: str) -> str:
    """From the end of a bias's key to that of its weights: a scheme's last layer."""
    return bias.removesuffix("bias") + ("kernel" if "/" in bias else "weight")


def bare_key(key: str) -> str:
    while key.startswith(PREFIXES):
        key = key.split(".", 1)[1]
    return key
