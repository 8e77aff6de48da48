"""From a configuration to objects. Below this file nothing knows what a config is."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch

from vidtok.config import Config, DataConfig
from vidtok.config_io import load_config_text
from vidtok.data.dataset import ClipRule, TestViews, TrainViews, VideoDataset
from vidtok.data.lists import Records, check_files, check_labels, read_classes, read_folder, read_list
from vidtok.data.loader import EvalBatches, TrainBatches, make_loader
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier, is_pretrained
from vidtok.models.presets import network_and_options
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.files import read_weights
from vidtok.models.weights.timm_vit import load_timm_vit
from vidtok.train.checkpoint import find_checkpoint, load_checkpoint, load_weights
from vidtok.train.parallel import Parallel
from vidtok.types import Batch


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The two lists of a run and the names of the classes."""

    train: Records
    val: Records
    classes: tuple[str, ...]


def build_lists(config: Config) -> Lists:
    """Read and check both lists: labels within the classes, as many as the loss takes, files where they should be."""
    data = config.data
    if Path(data.train).is_dir():
        names = read_classes(data.classes) if data.classes is not None else None
        train, classes = read_folder(data.train, classes=names)
    else:
        train = read_list(data.train, root=data.root)
        if data.classes is None:
            raise ConfigError("data.classes: a list file needs it; name a file with one class name per line")
        classes = read_classes(data.classes)
    check_labels(train, classes, several=config.train.loss == "sigmoid")
    check_files(train)
    return Lists(train=train, val=build_val(config, classes), classes=classes)


def build_val(config: Config, classes: Sequence[str]) -> Records:
    """The validation list alone, checked against the classes that a model was trained for."""
    data = config.data
    if Path(data.val).is_dir():
        val, _ = read_folder(data.val, classes=classes)
    else:
        val = read_list(data.val, root=data.root)
    check_labels(val, classes, several=config.train.loss == "sigmoid")
    check_files(val)
    return val


def build_model(config: Config, classes: Sequence[str], *, device: torch.device | str = "cpu") -> Classifier:
    """The network of `config.model` behind its normalisation; its initial weights follow from `run.seed`.

    With `device="meta"` nothing is computed or held: enough to count and to compare.
    """
    network, options = network_and_options(config.model)
    architecture = Architecture(network=network, options=options, frames=config.data.frames, size=config.data.size)
    torch.manual_seed(config.run.seed)
    with torch.device(device):
        return Classifier(
            architecture.build(classes=len(classes)),
            mean=config.data.mean,
            std=config.data.std,
            classes=tuple(classes),
            architecture=architecture,
        )


def loader_workers(wanted: int | None) -> int:
    """As many as wanted; else one for each core of this machine that a training process has for itself, 8 at most."""
    if wanted is not None:
        return wanted
    cores = os.cpu_count() or 1
    return min(8, max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


def clip_rule(data: DataConfig) -> ClipRule:
    return ClipRule(frames=data.frames, stride=data.stride, target_fps=data.target_fps, short=data.short)


def build_train_batches(config: Config, records: Records, parallel: Parallel, *, first_step: int) -> Iterable[Batch]:
    """This process's share of every step from `first_step` on."""
    data = config.data
    views = TrainViews(clip=clip_rule(data), size=data.size, scale=data.scale, ratio=data.ratio, flip=data.flip)
    batches = TrainBatches(
        records=len(records),
        batch=config.train.batch,
        steps=config.train.steps,
        seed=config.run.seed,
        first_step=first_step,
        rank=parallel.rank,
        world=parallel.world,
    )
    dataset = VideoDataset(records, views=views, seed=config.run.seed, backend=data.backend)
    return make_loader(dataset, batches, workers=loader_workers(data.workers), timeout_seconds=data.timeout_seconds)


def eval_views(config: Config, *, single: bool = False) -> TestViews:
    """The views of `config.eval`, or the centre crop of the centre clip."""
    data = config.data
    return TestViews(
        clip=clip_rule(data),
        size=data.size,
        short_side=data.short_side,
        clips=1 if single else config.eval.clips,
        crops=1 if single else config.eval.crops,
        control="none" if single else config.eval.control,
    )


def build_eval_batches(config: Config, records: Records, parallel: Parallel, views: TestViews) -> Iterable[Batch]:
    """This process's share of the list, every record once."""
    data = config.data
    dataset = VideoDataset(records, views=views, seed=config.run.seed, backend=data.backend)
    batches = EvalBatches(records=len(records), batch=config.eval.batch, rank=parallel.rank, world=parallel.world)
    return make_loader(dataset, batches, workers=loader_workers(data.workers), timeout_seconds=data.timeout_seconds)


def init_weights(model: Classifier, source: str) -> str:
    """Put initial weights into a new model; says in words what they are and what was left as it was.

    `source` is the folder of a run or of a saved model, any file of weights that vidtok reads, or `timm:NAME`. The last
    layer is taken where the classes are the same. Raises CheckpointError where nothing fits.
    """
    if source.startswith("timm:"):
        name = source.removeprefix("timm:")
        try:
            image_model = timm.create_model(name, pretrained=True)
        except Exception as error:  # an unknown name, no network, a hub that answers nonsense: each its own kind
            raise CheckpointError(f"train.init={source}: timm cannot get these weights: {error}") from error
        if not isinstance(model.network, ViViT | FactorisedEncoderViViT):
            raise ConfigError(
                f"train.init={source}: an image ViT's weights fit a ViViT, not {type(model.network).__name__}"
            )
        report = load_timm_vit(model.network, image_model.state_dict())
    else:
        report = read_weights(source if is_pretrained(source) else find_checkpoint(source)).load_into(model)
    whole = not (report.resized or report.skipped or report.missing or report.notes)
    return f"initial weights of {source} ({'all weights' if whole else report})"


def load_model(path: str | Path) -> Classifier:
    """A trained model in evaluation mode, from the folder of a run, one of its checkpoints, or a saved model's folder.

    A run's model is the newest checkpoint's. Raises CheckpointError for anything else; models on the Hugging Face hub
    come by `Classifier.from_pretrained(id)`.
    """
    if is_pretrained(path):
        return Classifier.from_pretrained(path)
    file = find_checkpoint(path)
    checkpoint = load_checkpoint(file)
    model = build_model(load_config_text(checkpoint.config, source=f"config in {file}"), checkpoint.classes)
    load_weights(model, checkpoint.model, source=file)
    return model.eval()
