"""From a configuration to views of videos and batches of them."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from vidtok.build_words import config_words
from vidtok.config import Config
from vidtok.config_data import DataConfig
from vidtok.data.augment import Augment
from vidtok.data.dataset import VideoDataset
from vidtok.data.eval_protocols import PROTOCOLS
from vidtok.data.geometry import rows_columns
from vidtok.data.lists import Records
from vidtok.data.loader import EvalBatches, TrainBatches, fitting_videos, make_loader, steps_of_epochs, view_bytes
from vidtok.data.rand_augment import RandAugment
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews
from vidtok.errors import ConfigError
from vidtok.train.checks import input_remedy
from vidtok.train.parallel import Parallel, usable_cores
from vidtok.types import Batch, Record
from vidtok.video.protocols import ClipRule


def loader_workers(wanted: int | None) -> int:
    """As many as wanted; else one for each core that a training process has for itself, 8 at most."""
    return min(8, cores_per_process()) if wanted is None else wanted


def cores_per_process() -> int:
    """The cores that a training process has for itself, one at least."""
    return max(1, usable_cores() // local_processes())


def local_processes() -> int:
    """The training processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


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
    plan = build_train_plan(config, records, parallel, first_step=first_step)
    return build_loader(config, build_dataset(config, records, train_views(config.data)), plan, warn=warn)


def build_dataset(config: Config, records: Sequence[Record], views: TrainViews | TestViews) -> VideoDataset:
    """A list's videos, read by the config's backend within its time limit."""
    data = config.data
    return VideoDataset(
        records, views=views, seed=config.run.seed, backend=data.backend, timeout_seconds=data.timeout_seconds
    )


def eval_views(config: Config, *, single: bool = False) -> TestViews:
    """The views of `config.eval`, by its protocol where it names one, or the centre crop of the centre clip."""
    data = config.data
    clip, short_side = clip_rule(data), data.short_side
    if config.eval.protocol is not None and not single:
        protocol = PROTOCOLS[config.eval.protocol]
        clip = replace(clip, sampling=protocol.sampling, short=None)
        short_side = min(rows_columns(data.size)) if protocol.whole else short_side
    return TestViews(
        clip=clip,
        size=data.size,
        short_side=short_side,
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
    videos = fitting_videos(config.eval.batch, video_bytes=view_bytes(views) * views.count)
    plan = EvalBatches(records=len(records), batch=videos, rank=parallel.rank, world=parallel.world)
    return build_loader(config, build_dataset(config, records, views), plan, by_video=True)


def build_loader(
    config: Config,
    dataset: VideoDataset,
    plan: TrainBatches | EvalBatches,
    *,
    by_video: bool | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> Iterable[Batch]:
    """The batches of a plan, decoded by the config's workers within its time limit; `by_video` as in make_loader."""
    return make_loader(
        dataset,
        plan,
        workers=loader_workers(config.data.workers),
        timeout_seconds=config.data.timeout_seconds,
        sharing=local_processes(),
        by_video=by_video,
        warn=lambda text: warn(config_words(text)),
    )
