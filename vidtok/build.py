"""From a configuration to objects. Below this file nothing knows what a config is."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch

from vidtok.config import Config, DataConfig
from vidtok.config_io import network_options
from vidtok.data.dataset import ClipRule, TestViews, TrainViews, VideoDataset
from vidtok.data.lists import Records, check_files, check_labels, read_classes, read_folder, read_list
from vidtok.data.loader import EvalBatches, TrainBatches, make_loader
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models import network_class
from vidtok.models.classifier import Classifier
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.timm_vit import load_timm_vit
from vidtok.train.checkpoint import find_checkpoint, load_body, load_checkpoint
from vidtok.train.parallel import Parallel
from vidtok.types import Batch


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The two lists of a run and the names of the classes."""

    train: Records
    val: Records
    classes: tuple[str, ...]


def build_lists(data: DataConfig) -> Lists:
    """Read and check both lists: labels within the classes, files where they should be."""
    if Path(data.train).is_dir():
        names = read_classes(data.classes) if data.classes is not None else None
        train, classes = read_folder(data.train, classes=names)
    else:
        train = read_list(data.train, root=data.root)
        if data.classes is None:
            raise ConfigError("data.classes: a list file needs it; name a file with one class name per line")
        classes = read_classes(data.classes)
    check_labels(train, classes)
    check_files(train)
    return Lists(train=train, val=build_val(data, classes), classes=classes)


def build_val(data: DataConfig, classes: Sequence[str]) -> Records:
    """The validation list alone, checked against the classes that a model was trained for."""
    if Path(data.val).is_dir():
        val, _ = read_folder(data.val, classes=classes)
    else:
        val = read_list(data.val, root=data.root)
    check_labels(val, classes)
    check_files(val)
    return val


def build_model(config: Config, classes: Sequence[str], *, device: torch.device | str = "cpu") -> Classifier:
    """The network of `config.model` behind its normalisation; its initial weights follow from `run.seed`.

    With `device="meta"` nothing is computed or held: enough to count and to compare.
    """
    network = network_class(config.model["name"])
    torch.manual_seed(config.run.seed)
    with torch.device(device):
        built = network(
            classes=len(classes), frames=config.data.frames, size=config.data.size, **network_options(config.model)
        )
        return Classifier(built, mean=config.data.mean, std=config.data.std, classes=tuple(classes))


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
    return make_loader(dataset, batches, workers=loader_workers(data.workers))


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
    dataset = VideoDataset(records, views=views, seed=config.run.seed, backend=config.data.backend)
    batches = EvalBatches(records=len(records), batch=config.eval.batch, rank=parallel.rank, world=parallel.world)
    return make_loader(dataset, batches, workers=loader_workers(config.data.workers))


def init_weights(model: Classifier, source: str) -> str:
    """Put initial weights into a new model; says in words what they are and what was left as it was.

    `source` is a checkpoint of vidtok (its last layer is taken where the classes are the same), or `timm:NAME`.
    Raises CheckpointError where nothing fits.
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
        checkpoint = load_checkpoint(find_checkpoint(source))
        report = load_body(model, checkpoint, source=source)
    return f"initial weights of {source} ({report})"
