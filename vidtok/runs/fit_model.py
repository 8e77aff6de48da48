"""The models that `fit` makes: an encoder behind its normalisation, and the best linear probe as its last layer."""

from collections.abc import Mapping, Sequence
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import ScoreKind, Summary
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.summary_network import SummaryNetwork
from vidtok.runs.fit_tokens import around
from vidtok.train.nested import Videos
from vidtok.train.probe import Choice, Linear, fit_probe

SUMMARIES: tuple[Summary, ...] = get_args(Summary)
"""Parts of what is kept of a clip, and all their unions; `mean` is a part of `time` and of `maps`."""


def encoder_model(
    weights: EncoderWeights, classes: Sequence[str], *, summary: Summary, frames: int, kind: ScoreKind
) -> Classifier:
    """The encoder behind its normalisation, with a last layer of zeros; it sees whole pictures of the whole video."""
    options = {**weights.options, "summary": summary}
    plan = Architecture(network=weights.network, options=options, frames=frames, size=weights.size)
    network = plan.build(classes=len(classes))
    assert isinstance(network, SummaryNetwork)
    network.body.load_state_dict(dict(weights.state))
    return around(network, weights, classes, plan=plan, kind=kind)


def linear_model(
    weights: EncoderWeights,
    classes: Sequence[str],
    features: Mapping[str, Float[Tensor, "n _"]],
    videos: Videos,
    rows: Sequence[int],
    *,
    frames: int,
    kind: ScoreKind,
    seed: int,
) -> tuple[Choice, Classifier]:
    """The best linear probe of these rows, chosen on inner folds of them, behind the encoder."""
    kept = torch.tensor(list(rows))
    own = {name: x[kept] for name, x in features.items()}
    divisions = videos.choosing(list(rows), seed=seed)
    choice, layer = fit_probe(own, videos.targets[kept], divisions, kind=kind, among=SUMMARIES)
    summary = SUMMARIES[[str(name) for name in SUMMARIES].index(choice.features)]
    model = encoder_model(weights, classes, summary=summary, frames=frames, kind=kind)
    set_last_layer(model, layer)
    return choice, model


def set_last_layer(model: Classifier, layer: Linear) -> None:
    """Put a probe's weights into the last layer of an encoder's model."""
    network = model.network
    assert isinstance(network, SummaryNetwork)
    with torch.no_grad():
        network.head.weight.copy_(layer.weight.T)
        network.head.bias.copy_(layer.bias)
