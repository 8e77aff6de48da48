"""A model by name, with initial or given weights."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidtok.errors import ModelError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier, numbered
from vidtok.models.options import check_options
from vidtok.models.presets import Colours, find_preset, network_and_options
from vidtok.models.weights.files import read_weights


def create_model(
    name: str,
    *,
    classes: int | Sequence[str] | None = None,
    weights: str | Path | None = None,
    frames: int | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Colours | None = None,
    std: Colours | None = None,
    **options: Any,
) -> Classifier:
    """A model of a published size (`list_models()`), or a network by its name, ready for training.

        create_model("vivit_b16x2_tl8at6", classes=["jump", "run"], frames=16, weights="vit.npz", drop_path=0.1)

    `classes`: their names, or their number, by default that of the model's data set. `frames`, `size` (pixels), `mean`
    and `std` (0..1) are the published model's where they are not given, and so is every one of the network's `options`.
    `weights`: any file that vidtok reads, see vidtok.models.weights; options that its keys tell (the depth of a time
    encoder) follow it. What had no place in the network, or got no weights, is logged as a warning; a network whose
    shapes do not fit is an error. Raises ModelError for names, options and sizes that cannot work, all options at once,
    and CheckpointError for weights that do not fit.
    """
    preset = find_preset(name)
    file = None if weights is None else read_weights(weights)
    network, merged = network_and_options({"name": name, **(file.options(preset.network) if file else {}), **options})
    problems, _ = check_options(network, merged, at=())
    if problems:
        raise ModelError(f"create_model({name!r}): " + "\n  ".join(problems))
    classes = preset.classes if classes is None else classes
    if classes is None:
        raise ModelError(f"create_model({name!r}): how many classes? A network alone has no number of its own")
    names = numbered(classes) if isinstance(classes, int) else tuple(classes)
    architecture = Architecture(
        network=network,
        options=merged,
        frames=preset.frames if frames is None else frames,
        size=preset.size if size is None else size,
    )
    model = Classifier(
        architecture.build(classes=len(names)),
        mean=preset.mean if mean is None else mean,
        std=preset.std if std is None else std,
        classes=names,
        architecture=architecture,
    )
    if file is not None:
        report = file.load_into(model)
        incomplete = report.skipped or report.missing or report.notes
        logging.getLogger(__name__).log(
            logging.WARNING if incomplete else logging.INFO, "weights of %s: %s", weights, report
        )
    return model
