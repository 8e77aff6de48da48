"""Bring a file of other people's weights into vidtok's form."""

from collections.abc import Sequence
from pathlib import Path

import torch

from vidtok.cli import parser
from vidtok.data.lists import read_classes
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models import NETWORKS
from vidtok.models.classifier import Classifier, numbered
from vidtok.models.create import create_model
from vidtok.models.presets import PRESETS, find_preset
from vidtok.models.weights.files import Weights, read_weights


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Bring a file of weights into vidtok's form: a .safetensors file that create_model and train.init read.\n\n"
        "Reads .safetensors, .pth, .pt, .bin, .npz and flax checkpoints of scenic, transformers, timm, VideoMAE, UMT, "
        "STViT, CAS-ViT,\npytorchvideo and torchvision; a pickle that would run code is refused."
    )
    cli.add_argument("source", metavar="IN", help="file of weights")
    cli.add_argument("--to", required=True, metavar="OUT.safetensors", help="file to write")
    cli.add_argument("--model", metavar="NAME", help="model to build; default: the one that the weights fit best")
    cli.add_argument("--classes", metavar="FILE", help="one class name per line; default: the classes are numbered")
    args = cli.parse_args(arguments)

    out = Path(args.to)
    if out.suffix != ".safetensors":
        raise ConfigError(f"--to {out}: the file is written as .safetensors; give it that ending")
    weights = read_weights(args.source)
    classes = class_names(weights, args.classes)
    name = args.model or best_model(weights, classes)
    model = build(name, weights, classes)
    kind = weights.scheme.name if weights.scheme else "under the network's own names"
    print(f"{args.source}: {weights.format}, {kind} -> {name}, {len(model.classes)} classes")
    print(weights.load_into(model))
    out.parent.mkdir(parents=True, exist_ok=True)
    model.write_weights(out)
    print(f"written: {out}")
    return 0


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
