"""What a training run says of its settings: notes and warnings at its start, and what mends it when it fails."""

from collections.abc import Collection
from pathlib import Path

from vidtok.build import Lists
from vidtok.build_data import run_steps, train_views
from vidtok.build_train import highest_rate
from vidtok.config import Config
from vidtok.data.loader import TrainBatches
from vidtok.data.survey import crop_warning, short_warning, survey
from vidtok.data.suspicions import list_suspicions
from vidtok.data.transforms import flip_warning
from vidtok.errors import ConfigError
from vidtok.models.classifier import Classifier
from vidtok.train.checks import empty_classes_warning, rate_warning, warmup_warning
from vidtok.train.groups import NEW

TRAIN_MEMORY = (
    "lower train.batch, or keep it and raise train.accumulate, which takes a step in parts; set "
    "train.checkpoint_blocks=true, which computes again instead of keeping, or train.precision=bf16; or take smaller "
    "clips (data.frames, data.size) or a smaller network. A run that has begun takes the first four with --new-segment"
)
TEST_MEMORY = "lower eval.max_views, the views that go through the network at once, or eval.batch"


def remedy(newest: Path | None) -> str:
    """What can be done about a run whose numbers are not finite any more, by where its newest checkpoint is."""
    change = "Lower train.lr, lengthen train.warmup_steps, set train.clip_norm=1.0, or train.precision=float32"
    if newest is None:
        return f"No checkpoint has been saved yet: the same command begins anew. {change}."
    return (
        f"Nothing of that was saved: the newest checkpoint, {newest}, is from before and whole. {change}; to go on "
        "from that checkpoint with the change add --new-segment (from an earlier one: move the newer ones away), to "
        "begin anew set run.dir to another folder."
    )


def check_mixing(config: Config, plan: TrainBatches) -> str | None:
    """A warning where mixup or CutMix reaches some processes alone; ConfigError where it would do nothing at all.

    Clips are mixed with those of the same process.
    """
    settings = config.train
    if not (settings.mixup_alpha or settings.cutmix_alpha):
        return None
    most, least = (max(share) for share in zip(*((most, least) for most, least, _ in plan.shares), strict=True))
    mixing = (
        f"train.mixup_alpha={settings.mixup_alpha:g} and train.cutmix_alpha={settings.cutmix_alpha:g} mix the clips "
        "that a process has in a step"
    )
    remedy = f"raise train.batch (now {settings.batch}), or take fewer processes than {plan.world}"
    if most < 2:
        raise ConfigError(f"{mixing}, and each has one: nothing would be mixed. Set both to 0, {remedy}.")
    return f"{mixing}, and some have one, which stays as it is: {remedy}" if least < 2 else None


def start_notes(config: Config, model: Classifier, new: Collection[str] | None) -> list[str]:
    """What the settings came to: the scaled rate, what is frozen, which layers are new."""
    settings, notes = config.train, []
    if settings.lr_batch is not None:
        notes.append(
            f"learning rate: {settings.lr:g} for {settings.lr_batch} clips per step is "
            f"{highest_rate(config):g} for {settings.batch}"
        )
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    trained = sum(size for size, trains in sizes if trains)
    if not all(trains for _, trains in sizes):
        notes.append(f"frozen: all but {trained / 1e6:.3f} of {sum(size for size, _ in sizes) / 1e6:.3f} M parameters")
    if NEW in settings.lr_scale and new:
        notes.append(f"{len(new)} new parameters have {settings.lr_scale[NEW]:g} times the rate of the others")
    return notes


def start_warnings(config: Config, lists: Lists, new: Collection[str] | None) -> list[str]:
    """What is probably not meant."""
    warnings = [
        rate_warning(config.train.optimizer, highest_rate(config)),
        warmup_warning(config.train.warmup_steps, steps=run_steps(config, len(lists.train)), lr=highest_rate(config)),
        empty_classes_warning(lists.train.labels_seen(), lists.classes, name=config.data.train),
        flip_warning(lists.classes) if config.data.flip else None,
        *list_suspicions(lists.train, lists.val, lists.classes),
    ]
    views = train_views(config.data)
    data = config.data
    seen = survey(lists.train, views, backend=data.backend, timeout_seconds=data.timeout_seconds)
    warnings += [crop_warning(seen, views), short_warning(seen, views, which="training")]
    if NEW in config.train.lr_scale and new is None:
        warnings.append(f"train.lr_scale.{NEW} has no effect without train.init: all parameters are new")
    return [text for text in warnings if text is not None]
