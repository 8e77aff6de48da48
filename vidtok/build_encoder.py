"""The encoder that a config's model names: the network that it is of, and the weights that a run starts from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidtok.choices import FROM_ENCODER
from vidtok.config import Config
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.classifier import Classifier, is_pretrained
from vidtok.models.encoder_plan import EncoderPlan
from vidtok.models.encoder_probe import EncoderProbe
from vidtok.models.encoder_vivit import EncoderViViT
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.encoders import find_encoder, own_encoder
from vidtok.models.options import every_option, plain
from vidtok.models.presets import network_and_options
from vidtok.models.summary_network import SummaryNetwork
from vidtok.models.transformers_folder import is_transformers_folder
from vidtok.models.vjepa2_probe import VJEPA2Probe
from vidtok.models.weights.report import Report
from vidtok.train.checkpoint import find_checkpoint, load_weights
from vidtok.train.opening import load_checkpoint


def encoder_source(model: Mapping[str, Any]) -> str | None:
    """Where the weights of the config's encoder lie, in the words of `vidtok fit --encoder`; None: it has none."""
    name = str(model.get("name"))
    if name not in FROM_ENCODER:
        return None
    source = model.get("encoder", every_option(name, {})["encoder"])
    return source if isinstance(source, str) else None


def network_plan(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The network of a config's model and its plain options, which hold the encoder's own plan.

    Of timm's networks the name is enough; other encoders are opened. Raises ModelError and CheckpointError as
    `open_encoder` does.
    """
    name, options = network_and_options(model)
    source = encoder_source(model)
    if source is None:
        return name, options
    import timm  # here, as in all of vidtok, where it is used: its import takes longer than torch's

    timms = source.partition("=")[0]
    if timm.is_model(timms) and not Path(source).exists():
        return name, {**options, "encoder": timms}
    weights, others = open_encoder(source), {key: value for key, value in options.items() if key != "encoder"}
    if name == "encoder":
        return weights.network, plain({**weights.options, **others})
    return name, plain({**others, "encoder": EncoderPlan(network=weights.network, options=weights.options)})


def open_encoder(source: str) -> EncoderWeights:
    """The encoder of `find_encoder`, or that of a run, a saved model or a checkpoint of vidtok's own.

    Raises ModelError and CheckpointError as `find_encoder` does, and for what cannot be read.
    """
    path = Path(source)
    if not path.exists() or is_transformers_folder(path):
        return find_encoder(source)
    saved = path / "model" if is_pretrained(path / "model") else path  # of a run of fit
    if is_pretrained(saved):
        return own_encoder(Classifier.from_pretrained(saved), name=path.resolve().name, source=source)
    file = find_checkpoint(path)
    checkpoint = load_checkpoint(file)
    if not checkpoint.description:
        raise CheckpointError(f"{file}: an old checkpoint, which does not say how its network is built")
    model = Classifier.from_description(checkpoint.description, source=file)
    load_weights(model, checkpoint.weights, source=str(file))
    return own_encoder(model, name=path.resolve().name, source=source)


def start_encoder(config: Config, model: Classifier, source: str) -> Report:
    """Put the encoder's weights into a new model, which normalises pixels as they want it; all else stays new.

    Raises ConfigError where the config has other pixels than these weights were made for: the size that their own
    preprocessing says, and its mean and deviation, which a config cannot replace.
    """
    weights, data = open_encoder(source), config.data
    wanted, given = pair(weights.size), pair(data.size)
    if wanted != given:
        size = weights.size if isinstance(weights.size, int) else list(weights.size)
        raise ConfigError(
            f"data.size={data.size}: the weights of model.encoder={source} take pictures of "
            f"{wanted[0]} x {wanted[1]} pixels; set data.size={size}"
        )
    if data.mean != "weights":
        raise ConfigError(
            f"data.mean={list(data.mean)}: the weights of model.encoder={source} say how pixels are normalised for "
            "them; set data.mean=weights and data.std=weights"
        )
    part = encoder_in(model)
    part.body.load_state_dict(dict(weights.state))
    model.normalise_by(mean=weights.mean, std=weights.std)
    brought = {id(parameter) for parameter in part.body.parameters()}
    new = tuple(name for name, parameter in model.network.named_parameters() if id(parameter) not in brought)
    note = f"encoder: {weights.name}, from {weights.source}"
    return Report(used=tuple(weights.state), resized=(), skipped=(), missing=new, notes=(note,))


def encoder_in(model: Classifier) -> SummaryNetwork:
    """The encoder in a model of FROM_ENCODER; its `body` has the weights."""
    network = model.network
    part = network.encoder if isinstance(network, EncoderViViT | EncoderProbe | VJEPA2Probe) else network
    assert isinstance(part, SummaryNetwork)
    return part


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns."""
    return (size, size) if isinstance(size, int) else size
