"""The encoder in front of another network's layers: by timm's name, or as a network of ours with its options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from vidtok.errors import ModelError
from vidtok.models.architecture import Architecture
from vidtok.models.summary_network import SummaryNetwork


@dataclass(frozen=True, kw_only=True)
class EncoderPlan:
    """A network of vidtok.models.NETWORKS that is an encoder, and its options as plain values."""

    network: str
    options: Mapping[str, Any]


def encoder_in_front(encoder: str | EncoderPlan, *, frames: int, size: int | tuple[int, int]) -> SummaryNetwork:
    """The encoder without its last layer, all of it to be trained, with new weights; a name is one of timm's.

    Raises ModelError for a network that is no encoder.
    """
    plan = EncoderPlan(network="encoder", options={"encoder": encoder}) if isinstance(encoder, str) else encoder
    options = {**plan.options, "trained_blocks": None}
    network = Architecture(network=plan.network, options=options, frames=frames, size=size).build(classes=1)
    if not isinstance(network, SummaryNetwork):
        raise ModelError(f"`encoder`: {plan.network} is no encoder; they are encoder, own and transformers")
    network.add_module("head", nn.Identity())
    return network
