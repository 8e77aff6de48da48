"""Bring a file of other people's weights into vidtok's form."""

import re
from pathlib import Path

import torch

from vidtok.data.lists import read_classes
from vidtok.errors import CheckpointError, ConfigError, ModelError
from vidtok.models import NETWORKS
from vidtok.models.class_names import numbered
from vidtok.models.classifier import Classifier
from vidtok.models.create import model_for
from vidtok.models.encoders import find_encoder
from vidtok.models.generators import untouched_generators
from vidtok.models.presets import PRESETS
from vidtok.models.probe_protocols import find_protocol
from vidtok.models.published_probe import published_probe
from vidtok.models.weights.files import Weights, read_weights
from vidtok.models.weights.vit_parts import UnknownGrid
from vidtok.models.weights.vjepa2_probe import read_vjepa2_probe
from vidtok.nn.position import Grid
from vidtok.runs.folders import make_folder


def run_convert(
    source: str | Path,
    to: str | Path,
    *,
    model: str | None = None,
    classes: str | Path | None = None,
    source_grid: Grid | None = None,
    encoder: str | None = None,
    protocol: str | None = None,
) -> Classifier:
    """Bring a file of weights into the .safetensors file `to`, which create_model and train.init read.

    `model`: the name to build, by default the one that the weights fit best. `classes`: a file of their names, by
    default those of the weights, or their numbers. `source_grid` as in create_model. `encoder`: the file is one of
    V-JEPA 2's probes, and this its encoder, as `vidtok fit` names them; `protocol`: see `VJEPA2_PROBES`, by default the
    one of the file's own name. Random generators stay as they were. Raises CheckpointError for weights that fit no
    model, or several, or whose grid is not known.
    """
    out = Path(to)
    if out.suffix != ".safetensors":
        raise ConfigError(f"--to {out}: the file is written as .safetensors; give it that ending")
    if encoder is not None:
        if model is not None or source_grid is not None:
            raise ConfigError(
                "--encoder is for a probe, which brings its own network: leave --model and --source-grid out"
            )
        return convert_probe(Path(source), out, encoder=encoder, protocol=protocol, classes=classes)
    if protocol is not None:
        raise ConfigError("--protocol is for a probe: name its encoder with --encoder")
    with untouched_generators(0):
        weights = read_weights(source)
        names = names_for(weights, None if classes is None else str(classes))
        name = model or best_model(weights, names, source_grid=source_grid)
        built, notes = model_for(name, weights, classes=names, options={})
        kind = weights.scheme.name if weights.scheme else "under the network's own names"
        print(f"{source}: {weights.format}, {kind} -> {name}, {len(built.classes)} classes")
        print(weights.load_into(built, source_grid=source_grid, published=name))
    for note in notes:
        print(f"  note: {note}")
    make_folder(out.parent, option="--to")
    built.write_weights(out)
    print(f"written: {out}")
    return built


def convert_probe(
    source: Path, out: Path, *, encoder: str, protocol: str | None, classes: str | Path | None
) -> Classifier:
    """One of V-JEPA 2's published probes with its encoder, as a model that knows how clips are taken for it."""
    told = find_protocol(protocol or source.stem)
    names = None if classes is None else read_classes(str(classes))
    state = read_vjepa2_probe(source)
    with untouched_generators(0):
        built = published_probe(find_encoder(encoder), state, protocol=told, classes=names)
    print(f"{source}: a probe of V-JEPA 2 -> vjepa2_probe on {encoder}, {len(built.classes)} classes")
    make_folder(out.parent, option="--to")
    built.write_weights(out)
    print(
        f"written: {out}; vidtok test --checkpoint {out} --list LIST eval.protocol=vjepa2_{told.segments}x{told.crops}"
    )
    return built


def names_for(weights: Weights, file: str | None) -> tuple[str, ...] | None:
    """The names in the file, or those in the weights, or numbers; None where the weights have no last layer."""
    told = weights.scheme.classes(weights.state) if weights.scheme else None
    if file is None:
        return weights.classes if weights.classes or told is None else numbered(told)
    names = read_classes(file)
    if told is not None and told != len(names):
        raise CheckpointError(f"{weights.path}: tells {told} classes apart, but {file} names {len(names)}")
    return names


def parse_grid(text: str) -> Grid:
    """Three numbers as 16x14x14; ConfigError for anything else."""
    found = re.fullmatch(r"([1-9]\d*)[x,]([1-9]\d*)[x,]([1-9]\d*)", text)
    if found is None:
        raise ConfigError(
            f"--source-grid {text}: time steps, rows and columns, such as 16x14x14, or 1x14x14 for a picture"
        )
    return int(found[1]), int(found[2]), int(found[3])


def best_model(weights: Weights, classes: tuple[str, ...] | None, *, source_grid: Grid | None = None) -> str:
    """The model that takes these weights with the least left over, resized, missing, or other than its name says.

    Models are tried on the meta device, where nothing is computed. CheckpointError where none fits, or several do.
    """
    if weights.scheme is None:
        raise CheckpointError(
            f"{weights.path}: the keys do not tell whose weights these are; name a model with --model"
        )
    costs: dict[str, int] = {}
    unknown: CheckpointError | None = None
    for name, preset in PRESETS.items():
        if issubclass(NETWORKS[preset.network], weights.scheme.networks):
            try:
                with torch.device("meta"):
                    model, notes = model_for(name, weights, classes=classes, options={})
                report = weights.load_into(model, source_grid=source_grid, published=name)
            except ModelError:
                continue  # what the weights say of themselves cannot be, in this one
            except CheckpointError as error:
                # The wrong size is no news: most are. That the size is right, and the grid not known, is.
                unknown = error if isinstance(error.__cause__, UnknownGrid) else unknown
                continue
            costs[name] = sum(map(len, (report.resized, report.skipped, report.missing, report.notes, notes)))
    best = [name for name, cost in costs.items() if cost == min(costs.values())]
    if not best and unknown is not None:
        raise unknown
    if len(best) != 1:
        kind = " or ".join(cls.__name__ for cls in weights.scheme.networks)
        raise CheckpointError(
            f"{weights.path}: weights of {weights.scheme.name} for a {kind}, that fit "
            + (f"several models: {', '.join(best)}; choose one with --model" if best else "no published size")
        )
    return best[0]
