"""Weights under vidtok's own names, into a network of the same kind: of other clips, or with another last layer."""

from collections.abc import Mapping

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.options import ONLY_TRAINING, every_option
from vidtok.models.weights.image_form import fit
from vidtok.models.weights.origin import Origin, clip_of
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.nn.position import resize_table

FLATTENED = ("pos_embed_spatial",)
"""Ends of the keys under which pytorchvideo's networks keep the places of a picture as one row."""
HEADS = ("heads", "time_heads")
"""Options that no shape shows, and without which the weights mean nothing."""


def own_names(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor] | None:
    """The state under the network's own names, where most of its keys are that: of a whole Classifier, of its network
    alone, or of the library's network within it."""
    names = network.state_dict().keys()
    for old, new in (("network.", ""), ("", ""), ("", "body.")):
        renamed = {new + key.removeprefix(old): tensor for key, tensor in state.items()}
        if len(renamed.keys() & names) > len(state) / 2:
            return renamed
    return None


def load_own(model: Classifier, state: Mapping[str, Tensor], *, origin: Origin | None, other_classes: bool) -> Report:
    """Put weights under the network's names into a model; its last layer keeps its start with `other_classes`.

    Those for images inflate, and learned positions are resized. `origin`: the model that they were made in, if known.
    Raises CheckpointError for all else that does not fit.
    """
    transfer, last = Transfer(model.network, state), frozenset[str]()
    if model.architecture is not None:
        last = model.architecture.last_layers(model.network.state_dict(), classes=len(model.classes))
        if origin is not None and origin.network == model.architecture.network:
            _compare(transfer, origin, model.architecture)
            _check_flattened(state, origin, model.architecture)
    for key, tensor in state.items():
        shape = transfer.wants(key)
        if shape is None:
            if ".class_token." in key:
                transfer.skip(key, "the network has no class token")
            continue  # `finish` names all others at once
        if key in last and (other_classes or tuple(tensor.shape) != shape):
            transfer.skip(key, f"of a last layer for other classes; the network's is {shape}")
        elif key.endswith("position.table") and tuple(tensor.shape) != shape:
            transfer.note_resized(key, f"{_times(tensor.shape[:3])} -> {_times(shape[:3])}")
            transfer.put(key, _resized(transfer.take(key), shape), source=key)
        else:
            transfer.put(key, fit(transfer, transfer.take(key), shape, source=key), source=key)
    learners = (f"{encoder}.{part}." for encoder in ("encoder", "space") for part in ("token_learners", "token_fusers"))
    return transfer.finish(may_miss=(*last, *learners))


def _compare(transfer: Transfer, origin: Origin, architecture: Architecture) -> None:
    """Note the options in which the network is not the one that the weights were made in, as shapes may not show it."""
    theirs = every_option(architecture.network, origin.options)
    ours = every_option(architecture.network, architecture.options)
    for key, value in theirs.items():
        if key in ONLY_TRAINING or value == ours[key]:
            continue
        said = f"the weights were made with {key}={value}, the network has {ours[key]}"
        if key in HEADS:
            raise CheckpointError(f"{said}: set {key}={value}")
        transfer.note(said)


def _check_flattened(state: Mapping[str, Tensor], origin: Origin, architecture: Architecture) -> None:
    """Raise CheckpointError where a library's network keeps positions by number alone, and those of another picture."""
    found = [key for key in state if key.endswith(FLATTENED)]
    ours = clip_of(architecture.frames, architecture.size)
    if found and origin.clip is not None and origin.clip[1:] != ours[1:]:
        raise CheckpointError(
            f"{found[0]}: positions of a picture of {origin.clip[1]} x {origin.clip[2]} pixels, in one row; the model "
            f"takes {ours[1]} x {ours[2]}, and they are not resized here: set size={origin.clip[1:]}"
        )


def _resized(table: Shaped[Tensor, "t h w d"], shape: tuple[int, ...]) -> Shaped[Tensor, "t2 h2 w2 d"]:
    return resize_table(table, (shape[0], shape[1], shape[2]))


def _times(sizes: tuple[int, ...] | torch.Size) -> str:
    return " x ".join(map(str, sizes))
