"""From a configuration to lists, models, views and batches. Below this file nothing knows what a config is."""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vidtok.config import Config, DataConfig, EvalConfig, RunConfig, TrainConfig
from vidtok.config_io import load_config_text, shipped
from vidtok.data.augment import Augment
from vidtok.data.dataset import VideoDataset
from vidtok.data.lists import Records, check_files, check_labels, open_list, read_classes
from vidtok.data.loader import (
    EvalBatches,
    TrainBatches,
    fitting_videos,
    make_loader,
    steps_of_epochs,
    view_bytes,
)
from vidtok.data.rand_augment import RandAugment
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews
from vidtok.errors import CheckpointError, ConfigError, ModelError, VidtokError
from vidtok.infer.predict import VideoClassifier
from vidtok.models.architecture import Architecture
from vidtok.models.class_names import class_names
from vidtok.models.classifier import Classifier, is_pretrained, read_description
from vidtok.models.feeding import Feeding
from vidtok.models.generators import untouched_generators
from vidtok.models.network import Network
from vidtok.models.presets import network_and_options
from vidtok.models.weights.files import Weights
from vidtok.models.weights.origin import colours
from vidtok.train.checkpoint import Checkpoint, find_checkpoint, load_weights
from vidtok.train.checks import input_remedy
from vidtok.train.opening import load_checkpoint
from vidtok.train.parallel import Parallel, usable_cores
from vidtok.types import Batch, Record
from vidtok.video.protocols import ClipRule

UNKNOWN = (float("nan"),) * 3
"""A normalisation that has yet to come, from weights."""
HUB_ID = r"[\w.-]+/[\w-][\w.-]*(?<!\.pt)(?<!\.pth)(?<!\.safetensors)(?<!\.shards)"
"""A user or organisation, and a model of theirs."""


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The two lists of a run and the names of the classes."""

    train: Records
    val: Records
    classes: tuple[str, ...]


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


def build_val(config: Config, classes: Sequence[str]) -> Records:
    """The validation list alone, checked against the classes that a model was trained for."""
    data = config.data
    val, _ = open_list(data.val, root=data.root, classes=classes, format=data.format, part="val")
    check_labels(val, classes, several=config.train.loss == "sigmoid")
    check_files(val)
    return val


def build_model(config: Config, classes: Sequence[str], *, device: torch.device | str = "cpu") -> Classifier:
    """The network of `config.model` behind its normalisation; its initial weights follow from `run.seed`.

    The caller's random generators stay as they were. With `data.mean` and `data.std` that follow the weights the model
    gives NaN until these have come. With `device="meta"` nothing is computed or held: enough to count and to compare.
    Raises ConfigError for a size of `data.sizes` that the network cannot take.
    """
    name, options = network_and_options(config.model)
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
    model = build_model(config, checkpoint.classes)
    load_weights(model, checkpoint.weights, source=str(source))
    follow_checkpoint(config, model, checkpoint, source=source)
    return model


def loader_workers(wanted: int | None) -> int:
    """As many as wanted; else one for each core that a training process has for itself, 8 at most."""
    return min(8, cores_per_process()) if wanted is None else wanted


def cores_per_process() -> int:
    """The cores that a training process has for itself, one at least."""
    return max(1, usable_cores() // local_processes())


def local_processes() -> int:
    """The training processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def config_words(text: str) -> str:
    """A message from below, where an argument stands as `name`, with the configuration's keys for arguments.

    An argument that is no key, or whose key has another name, stays as it is, without its marks.
    """
    return re.sub(r"`(\w+)`", lambda found: KEYS.get(found[1], found[1]), text)


@contextmanager
def told_in_config_words() -> Iterator[None]:
    """Errors from below with the configuration's keys for arguments."""
    try:
        yield
    except VidtokError as error:
        words = config_words(str(error))
        if words == str(error):
            raise
        raise type(error)(words) from error


SECTIONS = {"eval": EvalConfig, "run": RunConfig, "data": DataConfig, "train": TrainConfig}
KEYS = {key: f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields} | {
    "folder": "run.dir"
}
"""Arguments by the keys that they come from; of two sections that have the same key, that of the last one here."""


def build_input_remedy(config: Config) -> str:
    """What a run with this config can do when it waits for its data."""
    data = config.data
    ways = input_remedy(
        workers=loader_workers(data.workers),
        cores=cores_per_process(),
        can_prepare=data.backend != "frames",
        can_crop_in_yuv=data.backend == "pyav" and data.crop_in != "yuv",
        can_repeat=data.repeats == 1 and config.train.batch % 2 == 0,
    )
    return config_words(ways)


def clip_rule(data: DataConfig) -> ClipRule:
    return ClipRule(
        frames=data.frames, stride=data.stride, target_fps=data.target_fps, sampling=data.sampling, short=data.short
    )


def build_crop(data: DataConfig) -> ResizedCrop | JitteredCrop:
    """Where the crops of training lie."""
    if data.scale_jitter is not None:
        return JitteredCrop(short_side=data.scale_jitter, independent=data.scale_jitter_independent)
    return ResizedCrop(scale=data.scale or (0.25, 1.0), ratio=data.ratio or (0.75, 1.3333), fit=data.fit)


def build_augment(data: DataConfig) -> Augment:
    """What happens to training clips after the crop; nothing by default."""
    settings = data.augment
    rand = settings.rand_augment
    return Augment(
        color_jitter_prob=settings.color_jitter_prob,
        grey_prob=settings.grey_prob,
        auto_augment=settings.auto_augment,
        rand_augment=None if rand is None else RandAugment(**rand.model_dump()),
        erase_prob=settings.erase_prob,
    )


def train_views(data: DataConfig) -> TrainViews:
    """What training sees of a video."""
    return TrainViews(
        clip=clip_rule(data),
        size=data.size,
        crop=build_crop(data),
        flip=data.flip,
        repeats=data.repeats,
        crop_in=data.crop_in,
        augment=build_augment(data),
    )


def take_sizes(network: Network, config: Config) -> None:
    """Let the network take the sizes of `data.sizes` too; ConfigError for one that it cannot take."""
    for size in config.data.sizes or ():
        try:
            network.also_take(frames=config.data.frames, size=size)
        except ModelError as error:
            raise ConfigError(f"data.sizes: {error}") from error


def run_steps(config: Config, records: int) -> int:
    """The optimizer updates of the whole run: `train.steps`, or those of `train.epochs` over so many records."""
    if config.train.steps is not None:
        return config.train.steps
    assert config.train.epochs is not None
    return steps_of_epochs(
        config.train.epochs,
        records=records,
        batch=config.train.batch,
        seed=config.run.seed,
        repeats=config.data.repeats,
        size=config.data.size if config.data.sizes is not None and isinstance(config.data.size, int) else None,
        sizes=config.data.sizes,
    )


def build_train_plan(config: Config, records: Records, parallel: Parallel, *, first_step: int) -> TrainBatches:
    """Which records this process sees at every step from `first_step` on; ConfigError where they cannot be balanced."""
    data = config.data
    labels = None
    if data.balanced:
        table = records.label_table()
        if table is None or table.shape[1] != 1:
            raise ConfigError(
                f"data.balanced: {records.source} does not give each video one label, so there is no class to count it "
                "to; leave it out, and weigh rare classes by train.class_weights=balanced"
            )
        labels = table[:, 0].tolist()
    return TrainBatches(
        records=len(records),
        batch=config.train.batch,
        steps=run_steps(config, len(records)),
        seed=config.run.seed,
        first_step=first_step,
        rank=parallel.rank,
        world=parallel.world,
        repeats=data.repeats,
        size=data.size if data.sizes is not None and isinstance(data.size, int) else None,
        sizes=data.sizes,
        labels=labels,
    )


def build_train_batches(
    config: Config,
    records: Records,
    parallel: Parallel,
    *,
    first_step: int,
    warn: Callable[[str], object] = warnings.warn,
) -> Iterable[Batch]:
    """This process's share of every step from `first_step` on; `warn` is told where workers are fewer than wanted."""
    data = config.data
    batches = build_train_plan(config, records, parallel, first_step=first_step)
    dataset = build_dataset(config, records, train_views(data))
    return make_loader(
        dataset,
        batches,
        workers=loader_workers(data.workers),
        timeout_seconds=data.timeout_seconds,
        sharing=local_processes(),
        warn=lambda text: warn(config_words(text)),
    )


def build_dataset(config: Config, records: Sequence[Record], views: TrainViews | TestViews) -> VideoDataset:
    """A list's videos, read by the config's backend within its time limit."""
    data = config.data
    return VideoDataset(
        records, views=views, seed=config.run.seed, backend=data.backend, timeout_seconds=data.timeout_seconds
    )


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
        fit=data.fit,
    )


def unspoilt_train_views(config: Config) -> TrainViews:
    """What training sees, without mirroring and augmentation: as many clips of a video as in testing."""
    return replace(train_views(config.data), flip=False, augment=None, repeats=config.eval.clips)


def build_eval_batches(
    config: Config, records: Records, parallel: Parallel, views: TestViews | TrainViews
) -> Iterable[Batch]:
    """This process's share of the list, every record once, a video with all of its views in a row."""
    data = config.data
    dataset = build_dataset(config, records, views)
    videos = fitting_videos(config.eval.batch, video_bytes=view_bytes(views) * views.count)
    batches = EvalBatches(records=len(records), batch=videos, rank=parallel.rank, world=parallel.world)
    return make_loader(
        dataset,
        batches,
        workers=loader_workers(data.workers),
        timeout_seconds=data.timeout_seconds,
        sharing=local_processes(),
        by_video=True,
    )


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
        load("saved")                        the folder, or the .safetensors file, of a saved model
        load("someone/model", revision="v1") a model on the Hugging Face hub

    With `classes` (see `class_names`) that are not the model's own, its last layer is a new one for them; all other
    weights stay. A checkpoint may name modules of plugins, whose code runs when they are imported: that happens only
    with `allow_plugins`, or where they are imported already. Random generators stay as they were.
    Raises CheckpointError for anything that is no model of vidtok, ConfigError for plugins that are not allowed.
    """
    with untouched_generators():
        model = _load(source, allow_plugins=allow_plugins, revision=revision)
        if classes is not None and classes != len(model.classes):
            names = class_names(classes)
            model = model if names == model.classes else with_classes(model, names, source=source)
    return VideoClassifier.of(model).eval()


def with_classes(model: Classifier, names: Sequence[str], *, source: str | Path) -> Classifier:
    """The same model with a new last layer for these classes."""
    other = Classifier.from_description({**model.describe(), "class_names": list(names)}, source=source)
    other.to(model.mean.dtype)
    weights = Weights(path=Path(source), format="model", state=model.state_dict(), classes=model.classes)
    weights.load_into(other)
    return other


def _load(source: str | Path, *, allow_plugins: bool, revision: str | None) -> Classifier:
    path = Path(source)
    on_hub = not path.exists() and re.fullmatch(HUB_ID, str(source)) is not None
    if revision is not None and not on_hub:
        raise CheckpointError(f"{source}: revision={revision!r} is of a model on the hub; this is a path")
    if on_hub:
        return Classifier.from_pretrained(str(source), revision=revision)
    if is_pretrained(path):
        return Classifier.from_pretrained(path)
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
            return model
    config = load_config_text(checkpoint.config, source=f"config in {file}", allow_plugins=allow_plugins)
    return build_trained(config, checkpoint, source=file)


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
