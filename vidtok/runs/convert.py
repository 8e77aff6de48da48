"""Bring a file of other people's weights into vidtok's form."""

from pathlib import Path

import torch

from vidtok.data.lists import read_classes
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models import NETWORKS
from vidtok.models.classifier import Classifier, numbered
from vidtok.models.create import create_model
from vidtok.models.presets import PRESETS, find_preset
from vidtok.models.weights.files import Weights, read_weights
from vidtok.runs.folders import make_folder


def run_convert(
    source: str | Path, to: str | Path, *, model: str | None = None, classes: str | Path | None = None
) -> Classifier:
    """Bring a file of weights into the .safetensors file `to`, which create_model and train.init read.

    `model`: the name to build, by default the one that the weights fit best. `classes`: a file with one name per line;
    by default the classes are numbered. Raises CheckpointError for weights that fit no model, or several.
    """
    out = Path(to)
    if out.suffix != ".safetensors":
        raise ConfigError(f"--to {out}: the file is written as .safetensors; give it that ending")
    weights = read_weights(source)
    names = class_names(weights, None if classes is None else str(classes))
    name = model or best_model(weights, names)
    built = build(name, weights, names)
    kind = weights.scheme.name if weights.scheme else "under the network's own names"
    print(f"{source}: {weights.format}, {kind} -> {name}, {len(built.classes)} classes")
    print(weights.load_into(built))
    make_folder(out.parent, option="--to")
    built.write_weights(out)
    print(f"written: {out}")
    return built


def class_names(weights: Weights, file: str | None) -> tuple[str, ...] | None:
    """The names in the file, or those in the weights, or numbers; None where the weights have no last layer."""
    told = weights.scheme.classes(weights.state) if weights.scheme else None
    if file is None:
        return weights.classes if weights.classes or told is None else numbered(told)
    names = read_classes(file)
    if told is not None and told != len(names):
        raise CheckpointError(f"{weights.path}: tells {told} classes apart, but {file} names {len(names)}")
    return names


def build(name: str, weights: Weights, classes: tuple[str, ...] | None) -> Classifier:
    """A model with the options that the keys tell."""
    return create_model(name, classes=classes, **weights.options(find_preset(name).network))


def best_model(weights: Weights, classes: tuple[str, ...] | None) -> str:
    """The model that takes these weights with the least left over, resized or missing.

    Models are tried on the meta device, where nothing is computed. CheckpointError where none fits, or several do.
    """
    if weights.scheme is None:
        raise CheckpointError(
            f"{weights.path}: the keys do not tell whose weights these are; name a model with --model"
        )
    costs: dict[str, int] = {}
    for name, preset in PRESETS.items():
        if issubclass(NETWORKS[preset.network], weights.scheme.networks):
            with torch.device("meta"):
                model = build(name, weights, classes)
            try:
                report = weights.load_into(model)
            except CheckpointError:
                continue  # the wrong size is no news: most are
            costs[name] = len(report.resized) + len(report.skipped) + len(report.missing) + len(report.notes)
    best = [name for name, cost in costs.items() if cost == min(costs.values())]
    if len(best) != 1:
        kind = " or ".join(cls.__name__ for cls in weights.scheme.networks)
        raise CheckpointError(
            f"{weights.path}: weights of {weights.scheme.name} for a {kind}, that fit "
            + (f"several models: {', '.join(best)}; choose one with --model" if best else "no published size")
        )
    return best[0]
