"""A model of V-JEPA 2's encoder and one of the probes that were published with it, fed as its protocol says."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.about import About
from vidtok.models.architecture import Architecture
from vidtok.models.class_names import numbered
from vidtok.models.classifier import Classifier
from vidtok.models.encoder_plan import EncoderPlan
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.feeding import Feeding
from vidtok.models.options import plain
from vidtok.models.probe_protocols import ProbeProtocol
from vidtok.models.vjepa2_probe import VJEPA2Probe
from vidtok.models.weights.vjepa2_probe import META_HEADS, load_vjepa2_probe, make_vjepa2_probe


def published_probe(
    weights: EncoderWeights,
    state: Mapping[str, Tensor],
    *,
    protocol: ProbeProtocol,
    classes: Sequence[str] | None = None,
    heads: int = META_HEADS,
) -> Classifier:
    """The encoder with the probe's weights behind it, in evaluation state.

    `classes`: their names, by default numbers. How clips are taken travels with it, so that a test by the protocol
    vjepa2_Nx3, N as many as there are segments, is its authors' own. Raises CheckpointError for a probe of another
    width or of another number of classes.
    """
    told = make_vjepa2_probe(state, heads=heads)
    names = numbered(told.head.out_features) if classes is None else tuple(classes)
    if len(names) != told.head.out_features:
        raise CheckpointError(f"the probe tells {told.head.out_features} classes apart, {len(names)} are named")
    options: dict[str, Any] = plain(
        {
            "encoder": EncoderPlan(network=weights.network, options=weights.options),
            "layers": protocol.layers,
            "heads": heads,
            "depth": len(told.pool.blocks) + 1,
            "mlp_ratio": told.pool.mlp.expand.out_features / told.head.in_features,
        }
    )
    plan = Architecture(network="vjepa2_probe", options=options, frames=protocol.frames, size=protocol.size)
    network = plan.build(classes=len(names))
    assert isinstance(network, VJEPA2Probe)
    if network.encoder.token_width != told.head.in_features:
        raise CheckpointError(
            f"the probe is for tokens of width {told.head.in_features} ({protocol.encoder}), {weights.name} has "
            f"{network.encoder.token_width}"
        )
    network.encoder.body.load_state_dict(dict(weights.state))
    load_vjepa2_probe(network.probe, state)
    feeding = Feeding(stride=protocol.stride, sampling="vjepa2", short_side=protocol.size)
    about = About(weights=f"{weights.name}, from {weights.source}, and V-JEPA 2's probe for it")
    return Classifier(
        network,
        mean=weights.mean,
        std=weights.std,
        classes=names,
        architecture=plan,
        feeding=feeding,
        about=about,
    ).eval()
