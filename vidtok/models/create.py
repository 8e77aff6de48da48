"""A model by name, with initial or given weights."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidtok.errors import ModelError
from vidtok.models.architecture import Architecture
from vidtok.models.class_names import class_names, numbered
from vidtok.models.classifier import Classifier
from vidtok.models.colours import Colours
from vidtok.models.feeding import Feeding
from vidtok.models.generators import untouched_generators
from vidtok.models.options import ONLY_TRAINING, check_options, every_option, plain
from vidtok.models.presets import Preset, find_preset
from vidtok.models.weights.files import Weights, read_weights
from vidtok.nn.position import Grid


def create_model(
    name: str,
    *,
    classes: object = None,
    weights: str | Path | None = None,
    source_grid: Grid | None = None,
    frames: int | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Colours | None = None,
    std: Colours | None = None,
    feeding: Feeding | None = None,
    seed: int | None = None,
    **options: Any,
) -> Classifier:
    """A model of a published size (`list_models()`), or a network by its name, ready for training.

        create_model("vivit_b16x2_tl8at6", classes=["jump", "run"], frames=16, weights="vit.npz", drop_path=0.1)

    `classes`: their names, their number, a file or a table of them (see `class_names`), by default those of the weights
    or the number of the model's data set. `frames`, `size` (pixels), `mean` and `std` (0..1) are the published model's
    where they are not given, and so is every one of the network's `options`. `feeding`: how clips are taken from
    videos, to be saved with the model. New weights follow from `seed`; without it they are drawn from torch's
    generator, as in any module.

    `weights`: any file that vidtok reads, see vidtok.models.weights. Where the file, or config.json beside it,
    describes the model that the weights were made in, that description comes before the published model's: its options,
    clip, normalisation and classes; but TokenLearner and mixers that the name stands for stay. What is given here comes
    first. `source_grid`: (time steps, rows, columns) of the tokens that a foreign ViT's positions were made for, where
    neither the description nor the published model tells it. Weights leave every random generator as it was.

    What had no place in the network, got no weights, was resized, or differs from the name, is logged as a warning; a
    network whose shapes do not fit is an error. Raises ModelError for names, options and sizes that cannot work, all
    options at once, and CheckpointError for weights that do not fit, or whose grid is not known.
    """
    if source_grid is not None and weights is None:
        raise ModelError(f"create_model({name!r}): source_grid={source_grid} is of weights: give weights too")
    with nullcontext() if weights is None and seed is None else untouched_generators(seed):
        file = None if weights is None else read_weights(weights)
        model, notes = model_for(
            name, file, classes=classes, frames=frames, size=size, mean=mean, std=std, feeding=feeding, options=options
        )
        if file is not None:
            report = file.load_into(model, source_grid=source_grid, published=name)
            said = "".join(f"\n  note: {note}" for note in notes)
            level = logging.INFO if report.whole and not notes else logging.WARNING
            logging.getLogger(__name__).log(level, "weights of %s: %s%s", weights, report, said)
    return model


def model_for(
    name: str,
    file: Weights | None,
    *,
    classes: object,
    options: Mapping[str, Any],
    frames: int | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Colours | None = None,
    std: Colours | None = None,
    feeding: Feeding | None = None,
) -> tuple[Classifier, tuple[str, ...]]:
    """The model of `create_model`, into which the file's weights are yet to come.

    The notes beside it tell where it is not what its name says, but what the weights say, and the other way round.
    """
    preset = find_preset(name)
    plan = _plan(name, preset, file, options)
    problems, _ = check_options(preset.network, plan.options, at=())
    if problems:
        raise ModelError(f"create_model({name!r}): " + "\n  ".join(problems))
    architecture = Architecture(
        network=preset.network,
        options=plan.options,
        frames=plan.frames if frames is None else frames,
        size=plan.size if size is None else size,
    )
    names = _names(name, preset, file, classes)
    model = Classifier(
        architecture.build(classes=len(names)),
        mean=plan.mean if mean is None else mean,
        std=plan.std if std is None else std,
        classes=names,
        architecture=architecture,
        feeding=plan.feeding if feeding is None else feeding,
    )
    return model, plan.notes if file is None else (*plan.notes, *file.made_for(model))


@dataclass(frozen=True, kw_only=True)
class _Plan:
    options: dict[str, Any]
    frames: int
    size: int | tuple[int, int]
    mean: Colours
    std: Colours
    feeding: Feeding | None
    notes: tuple[str, ...] = ()


def _plan(name: str, preset: Preset, file: Weights | None, given: Mapping[str, Any]) -> _Plan:
    """What is not given: the file's word, where it has one, else the published model's."""
    told = {} if file is None else _told(preset, file, given)
    options = plain({**preset.options, **told, **given})
    notes = tuple(
        f"{key}={told[key]} as the weights say, where {name} has {preset.options[key]}"
        for key in told
        if key not in given and key in preset.options and plain({key: preset.options[key]})[key] != told[key]
    )
    origin = None if file is None else file.origin
    mean, std = (None if file is None else file.normalisation) or (preset.mean, preset.std)
    return _Plan(
        options=options,
        frames=preset.frames if origin is None or origin.frames is None else origin.frames,
        size=preset.size if origin is None or origin.size is None else origin.size,
        mean=mean,
        std=std,
        feeding=None if origin is None else origin.feeding,
        notes=notes,
    )


def _told(preset: Preset, file: Weights, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the file tells, but for those that would undo what the name, or the caller, adds to it."""
    told = plain(file.options(preset.network))
    origin = file.origin
    if origin is not None and origin.own and origin.network == preset.network:
        # Vidtok's own description leaves defaults out, and they are its word all the same.
        every = every_option(preset.network, told)
        told |= {key: every[key] for key in preset.options if key not in told and key not in ONLY_TRAINING}
    added = plain({**preset.options, **given})
    adds_mixer = "mixer" in added and not _joint(added["mixer"])
    if adds_mixer:
        told.pop("mixer", None)
    if added.get("token_learner") is not None and told.get("token_learner") is None:
        told.pop("token_learner", None)
    if adds_mixer or {**added, **told}.get("token_learner") is not None:
        told.pop("pool", None)  # the class token has no place there
    return told


def _joint(mixer: Any) -> bool:
    """Whether this is plain attention between all tokens, whatever its biases."""
    return isinstance(mixer, dict) and mixer.get("name") == "mhsa" and mixer.get("axes", "joint") == "joint"


def _names(name: str, preset: Preset, file: Weights | None, classes: object) -> tuple[str, ...]:
    if classes is not None:
        return class_names(classes)
    if file is not None and (told := file.class_names()) is not None:
        return told
    if preset.classes is None:
        raise ModelError(f"create_model({name!r}): how many classes? A network alone has no number of its own")
    return numbered(preset.classes)
