"""From a configuration to lists and models. Below this floor nothing knows what a config is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vidtok.build_encoder import encoder_source, network_plan
from vidtok.build_words import told_in_config_words
from vidtok.config import Config
from vidtok.config_io import check, shipped
from vidtok.data.lists import Records, check_files, check_labels, open_list, read_classes
from vidtok.errors import CheckpointError, ConfigError, ModelError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.colours import colours
from vidtok.models.feeding import Feeding
from vidtok.models.generators import untouched_generators
from vidtok.models.network import Network
from vidtok.models.options import plain
from vidtok.train.checkpoint import Checkpoint, load_weights

UNKNOWN = (float("nan"),) * 3
"""A normalisation that has yet to come, from weights."""


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The two lists of a run and the names of the classes."""

    train: Records
    val: Records
    classes: tuple[str, ...]


@told_in_config_words()
def build_lists(config: Config) -> Lists:
    """Read and check both lists: labels within the classes, as many as the loss takes, files where they should be."""
    data = config.data
    names = None
    if data.classes is not None:
        file = class_file(data.classes)
        if not file.is_file():
            raise ConfigError(
                f"data.classes: {file}: no such class file; write one class name per line, in the order of the labels. "
                "Where the lists write names, or are folders, data.classes=null takes the names from there"
            )
        names = read_classes(file)
    train, classes = open_list(data.train, root=data.root, classes=names, format=data.format, part="train")
    if classes is None:
        raise ConfigError(
            f"data.classes: {data.train} writes labels as numbers; name a file with one class name per line"
        )
    check_labels(train, classes, several=config.train.loss == "sigmoid")
    check_files(train)
    return Lists(train=train, val=build_val(config, classes), classes=classes)


def class_file(path: str) -> Path:
    """The class file, or, where there is none and it is called data_lists/NAME, the one that comes with vidtok."""
    file = Path(path)
    own = shipped("data_lists", file.name) if file.parent == Path("data_lists") and not file.exists() else None
    return own or file


@told_in_config_words()
def build_val(config: Config, classes: Sequence[str]) -> Records:
    """The validation list alone, checked against the classes that a model was trained for."""
    data = config.data
    val, _ = open_list(data.val, root=data.root, classes=classes, format=data.format, part="val")
    check_labels(val, classes, several=config.train.loss == "sigmoid")
    check_files(val)
    return val


@told_in_config_words()
def build_model(
    config: Config,
    classes: Sequence[str],
    *,
    device: torch.device | str = "cpu",
    plan: tuple[str, Mapping[str, Any]] | None = None,
) -> Classifier:
    """The network of `config.model` behind its normalisation; its initial weights follow from `run.seed`.

    The caller's random generators stay as they were. With `data.mean` and `data.std` that follow the weights the model
    gives NaN until these have come. With `device="meta"` nothing is computed or held: enough to count and to compare.
    `plan`: the network and its options, where they are known; else as `network_plan` finds them.
    Raises ConfigError for a size of `data.sizes` that the network cannot take.
    """
    name, options = network_plan(config.model) if plan is None else plan
    architecture = Architecture(network=name, options=options, frames=config.data.frames, size=config.data.size)
    with untouched_generators(config.run.seed), torch.device(device):
        network = architecture.build(classes=len(classes))
        take_sizes(network, config)
        return Classifier(
            network,
            mean=UNKNOWN if config.data.mean == "weights" else config.data.mean,
            std=UNKNOWN if config.data.std == "weights" else config.data.std,
            classes=tuple(classes),
            architecture=architecture,
            feeding=build_feeding(config),
        )


def build_feeding(config: Config) -> Feeding:
    """How the model of this config takes a clip from a video."""
    data = config.data
    return Feeding(
        stride=data.stride,
        target_fps=data.target_fps,
        sampling=data.sampling,
        short=data.short,
        short_side=data.short_side,
        fit=data.fit,
        scores=config.train.loss,
    )


NOT_OF_CLIPS = ("scores", "video_seconds")
"""What a model's description of its feeding says beside how a clip is taken."""


def config_of(model: Classifier, *, val: str | Path) -> Config:
    """A config that feeds a model as it was fed, to test it on a list; what only training needs is nominal.

    Raises ModelError for a model that does not know how it was fed.
    """
    feeding, architecture = model.feeding, model.architecture
    if feeding is None or architecture is None:
        raise ModelError(
            "how clips are taken from videos is not known of this model: name a config with `cfg`, which says it"
        )
    mean, std = model.normalisation
    data = {
        **{key: value for key, value in feeding.describe().items() if key not in NOT_OF_CLIPS},
        "train": str(val),
        "val": str(val),
        "frames": architecture.frames,
        "size": architecture.size,
        "flip": False,
        "mean": mean,
        "std": std,
    }
    tree = {
        "data": data,
        "model": {"name": architecture.network, **plain(architecture.options)},
        "train": {"steps": 1, "batch": 1, "lr": 1.0, "loss": feeding.scores},
        "eval": {"crops": 3 if feeding.fit == "crop" else 1, "after_train": False},
    }
    return check(tree, source="the model", allow_plugins=False)


def follow_checkpoint(config: Config, model: Classifier, checkpoint: Checkpoint, *, source: object) -> None:
    """Normalise as the checkpoint's model did, where the config leaves that to the weights."""
    if config.data.mean != "weights":
        return
    if not checkpoint.description:
        raise CheckpointError(f"{source}: it does not say how pixels were normalised; give data.mean and data.std")
    mean, std = (colours(checkpoint.description["normalisation"][key]) for key in ("mean", "std"))
    model.normalise_by(mean=mean, std=std)


def build_trained(config: Config, checkpoint: Checkpoint, *, source: object) -> Classifier:
    """The model of a config with a checkpoint's weights; CheckpointError where they do not fit."""
    told, plan = checkpoint.description.get("model"), None
    if told is not None and encoder_source(config.model) is not None:  # where its encoder came from may be gone
        plan = (told["network"], told["options"])
    model = build_model(config, checkpoint.classes, plan=plan)
    load_weights(model, checkpoint.weights, source=str(source))
    follow_checkpoint(config, model, checkpoint, source=source)
    return model


def take_sizes(network: Network, config: Config) -> None:
    """Let the network take the sizes of `data.sizes` too; ConfigError for one that it cannot take."""
    for size in config.data.sizes or ():
        try:
            network.also_take(frames=config.data.frames, size=size)
        except ModelError as error:
            raise ConfigError(f"data.sizes: {error}") from error
