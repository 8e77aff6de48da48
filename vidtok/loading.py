"""A trained model from wherever it lies: a run, a checkpoint, a saved folder, a file, the hub."""

import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.build import build_trained
from vidtok.config_io import load_config_text
from vidtok.errors import CheckpointError, ModelError
from vidtok.infer.exported import is_exported, load_exported
from vidtok.infer.predict import VideoClassifier
from vidtok.models.about import about_checkpoint
from vidtok.models.class_names import class_names
from vidtok.models.classifier import Classifier, is_pretrained, read_description
from vidtok.models.generators import untouched_generators
from vidtok.models.weights.files import Weights
from vidtok.train.checkpoint import find_checkpoint, load_weights
from vidtok.train.opening import load_checkpoint

HUB_ID = r"[\w.-]+/[\w-][\w.-]*(?<!\.pt)(?<!\.pth)(?<!\.safetensors)(?<!\.shards)(?<!\.onnx)(?<!\.pt2)(?<!\.xml)"
"""A user or organisation, and a model of theirs."""


def is_on_hub(source: str | Path) -> bool:
    """Whether this is the id of a model on the hub, and nothing here."""
    return not Path(source).exists() and re.fullmatch(HUB_ID, str(source)) is not None


def is_saved(source: str | Path) -> bool:
    """Whether this is a saved model, here or on the hub, and no run or checkpoint."""
    path = Path(source)
    is_file = path.suffix == ".safetensors" and path.is_file()
    return is_on_hub(source) or is_pretrained(path) or is_file or is_exported(path)


def load_model(
    source: str | Path,
    *,
    classes: object = None,
    allow_plugins: bool = False,
    revision: str | None = None,
) -> VideoClassifier:
    """A trained model in evaluation mode, whose `predict("a.mp4")` gives the scores of a video.

        load("runs/mine")                    the newest checkpoint of a run
        load("runs/mine/checkpoints/best.pt")    a checkpoint
        load("runs/own")                     what `fit` has made, in runs/own/model
        load("saved")                        the folder, or the .safetensors file, of a saved model
        load("someone/model", revision="v1") a model on the Hugging Face hub
        load("model.onnx")                   a file of `vidtok export`, run by ONNX Runtime; also OpenVINO's .xml

    With `classes` (see `class_names`) that are not the model's own, its last layer is a new one for them; all other
    weights stay. A checkpoint may name modules of plugins, whose code runs when they are imported: that happens only
    with `allow_plugins`, or where they are imported already. Random generators stay as they were.
    Raises CheckpointError for anything that is no model of vidtok, ConfigError for plugins that are not allowed.
    """
    if is_exported(source):
        exported = load_exported(source)
        if classes is not None and classes != len(exported.classes) and class_names(classes) != exported.classes:
            raise ModelError(f"{source}: an exported file keeps its classes; take the model that it was made of")
        return exported.eval()
    with untouched_generators():
        model = _load(source, allow_plugins=allow_plugins, revision=revision)
        if classes is not None and classes != len(model.classes):
            names = class_names(classes)
            model = model if names == model.classes else with_classes(model, names, source=source)
        return VideoClassifier.of(model).eval()


def with_classes(model: Classifier, names: Sequence[str], *, source: str | Path) -> Classifier:
    """The same model with a new last layer for these classes."""
    description = {key: value for key, value in model.describe().items() if key != "provenance"}  # of the other classes
    other = Classifier.from_description({**description, "class_names": list(names)}, source=source)
    other.to(model.mean.dtype)
    weights = Weights(path=Path(source), format="model", state=model.state_dict(), classes=model.classes)
    weights.load_into(other)
    return other


def _load(source: str | Path, *, allow_plugins: bool, revision: str | None) -> Classifier:
    path = Path(source)
    if revision is not None and not is_on_hub(source):
        raise CheckpointError(f"{source}: revision={revision!r} is of a model on the hub; this is a path")
    if is_on_hub(source):
        return Classifier.from_pretrained(str(source), revision=revision)
    if is_pretrained(path):
        return Classifier.from_pretrained(path)
    if is_pretrained(path / "model"):
        return Classifier.from_pretrained(path / "model")
    if path.suffix == ".safetensors" and path.is_file():
        return _load_file(path)
    file = find_checkpoint(path)
    checkpoint = load_checkpoint(file)
    if checkpoint.description and not allow_plugins:
        try:
            model = Classifier.from_description(checkpoint.description, source=file)
        except ModelError:  # of a part that a plugin would bring: the config says of which
            model = None
        if model is not None:
            load_weights(model, checkpoint.weights, source=file)
            model.about = about_checkpoint(file, checkpoint.lists)
            return model
    config = load_config_text(checkpoint.config, source=f"config in {file}", allow_plugins=allow_plugins)
    model = build_trained(config, checkpoint, source=file)
    model.about = about_checkpoint(file, checkpoint.lists)
    return model


def _load_file(path: Path) -> Classifier:
    """A .safetensors file that vidtok wrote, whose header describes the model."""
    description = read_description(path)
    if description is None:
        raise CheckpointError(
            f"{path}: weights that do not say which model they are of; "
            f"vidtok.create_model(NAME, weights={str(path)!r}) brings them into one"
        )
    model = Classifier.from_description(description, source=path)
    model.read_weights(path)
    return model
