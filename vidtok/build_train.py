"""From a configuration to what training needs beside model and data: its start, its loss, its optimizer."""

import difflib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidtok.build import Lists
from vidtok.build_encoder import encoder_source, start_encoder
from vidtok.config import Config
from vidtok.data.mixing import Mixing
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.classifier import WEIGHTS, Classifier, is_pretrained
from vidtok.models.colours import colours
from vidtok.models.generators import untouched_generators
from vidtok.models.motion_start import MOTION_FILE, MOTION_START
from vidtok.models.weights.files import Weights, read_weights
from vidtok.models.weights.origin import Origin, of_description
from vidtok.models.weights.report import Report
from vidtok.nn.position import Grid
from vidtok.train.checkpoint import check_finite, find_checkpoint
from vidtok.train.groups import freeze, parameter_groups
from vidtok.train.loss import ClassLoss, balanced_weights
from vidtok.train.memory import checkpoint_blocks
from vidtok.train.norms import synchronise_norms
from vidtok.train.opening import load_checkpoint
from vidtok.train.optim import Schedule, make_optimizer, make_schedule, scaled_rate


def build_mixing(config: Config) -> Mixing | None:
    """Mixup, CutMix, or both in turn; None where both are off."""
    settings = config.train
    if not (settings.mixup_alpha or settings.cutmix_alpha):
        return None
    return Mixing(mixup_alpha=settings.mixup_alpha, cutmix_alpha=settings.cutmix_alpha)


def prepare_training(config: Config, model: Classifier, device: torch.device) -> Classifier:
    """The model on its device; batch norm, frozen parameters, recomputed blocks, compilation as in `config.train`."""
    settings = config.train
    model.to(device)
    if settings.batch_norm == "sync":
        synchronise_norms(model, device=device)
    freeze(model, settings.freeze)
    if settings.checkpoint_blocks:
        checkpoint_blocks(model.network.blocks)
    if settings.compile:
        model.compile()
    return model


def highest_rate(config: Config) -> float:
    """The highest learning rate, for the batch that is used."""
    return scaled_rate(config.train.lr, batch=config.train.batch, lr_batch=config.train.lr_batch)


def build_optimizer(config: Config, model: Classifier, *, new: Collection[str]) -> torch.optim.Optimizer:
    """The optimizer of what is to be trained; `new` are the parameters to which no initial weights came."""
    settings = config.train
    groups = parameter_groups(
        model,
        weight_decay=settings.weight_decay,
        layer_decay=settings.layer_decay,
        lr_scale=settings.lr_scale,
        new=new,
    )
    return make_optimizer(
        groups,
        name=settings.optimizer,
        lr=highest_rate(config),
        betas=settings.betas,
        momentum=settings.momentum,
    )


def build_schedule(config: Config, optimizer: torch.optim.Optimizer, *, steps: int) -> Schedule:
    """The learning rate of every one of the run's steps."""
    settings = config.train
    return make_schedule(
        optimizer,
        kind=settings.schedule,
        lr=highest_rate(config),
        min_lr=settings.min_lr,
        steps=steps,
        warmup_steps=settings.warmup_steps,
        lr_steps=settings.lr_steps,
    )


def build_loss(config: Config, lists: Lists) -> ClassLoss:
    """What is made small. Raises ConfigError for a weight of a class that there is not."""
    classes = lists.classes
    return ClassLoss(
        classes=len(classes),
        kind=config.train.loss,
        label_smoothing=config.train.label_smoothing,
        over_classes=config.train.over_classes,
        weights=class_weights(config, lists),
    )


def class_weights(config: Config, lists: Lists) -> tuple[float, ...] | None:
    """The factor of each class in the loss; None: all count the same."""
    wanted, classes = config.train.class_weights, lists.classes
    if wanted is None:
        return None
    if wanted == "balanced":
        counts = lists.train.class_counts(len(classes)).tolist()
        return balanced_weights(counts, videos=len(lists.train), kind=config.train.loss)
    if strange := [name for name in wanted if name not in classes]:
        near = difflib.get_close_matches(strange[0], classes, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"they are {', '.join(classes[:8])}{' …' * (len(classes) > 8)}"
        raise ConfigError(f"train.class_weights: {strange[0]!r} is none of the classes; {hint}")
    return tuple(wanted.get(name, 1.0) for name in classes)


def build_scaler(config: Config, device: torch.device) -> torch.amp.GradScaler | None:
    """The loss scaler that fp16 needs; ConfigError where there is no GPU."""
    if config.train.precision != "fp16":
        return None
    if device.type != "cuda":
        raise ConfigError("train.precision=fp16 needs a GPU; on a CPU set train.precision=bf16 or float32")
    return torch.amp.GradScaler(device.type)


def set_head_bias(model: Classifier, value: float, *, new: Collection[str] | None) -> None:
    """Start the biases of the last layer at `value`: all of them, or those named in `new`."""
    assert model.architecture is not None
    parameters = dict(model.network.named_parameters())
    for name in model.architecture.last_layers(parameters, classes=len(model.classes)):
        if parameters[name].ndim == 1 and (new is None or name in new):
            nn.init.constant_(parameters[name], value)


def init_weights(
    model: Classifier,
    source: str,
    *,
    source_grid: Grid | None = None,
    published: str | None = None,
    follow_normalisation: bool = False,
) -> Report:
    """Put initial weights into a new model; says which of them were used, and which parameters keep their start.

    `source` is the folder of a run or of a saved model, any file of weights that vidtok reads, `timm:NAME`, or
    `vidtok:motion_casvit`, which travels with vidtok. The last layer is taken where the classes are the same.
    `source_grid` and `published` as in Weights.load_into. With `follow_normalisation` the model normalises as the
    weights were made for; without, a difference stands in the notes.
    The caller's random generators stay as they were. Raises CheckpointError where nothing fits, or where it is not
    known what to follow.
    """
    with untouched_generators():
        weights = _read_start(source)
        report = weights.load_into(model, source_grid=source_grid, published=published)
        if follow_normalisation:
            if weights.normalisation is None:
                raise CheckpointError(
                    f"{source}: these weights do not say how pixels were normalised for them; give the numbers"
                )
            mean, std = weights.normalisation
            model.normalise_by(mean=mean, std=std)
    check_finite(model.state_dict(), source=source)
    return replace(report, notes=report.notes + weights.made_for(model))


def start_source(config: Config) -> str | None:
    """Where initial weights come from: `train.init`, else what `model.encoder` names; None: from scratch."""
    return encoder_source(config.model) if config.train.init is None else config.train.init


def start_weights(config: Config, model: Classifier, source: str) -> Report:
    """`init_weights` as the config has it: its `train.init_grid`, the clip of a published model's name, its colours.

    Where there is no `train.init`, `source` is that of the encoder alone.
    """
    if config.train.init is None:
        return start_encoder(config, model, source)
    return init_weights(
        model,
        source,
        source_grid=config.train.init_grid,
        published=str(config.model.get("name")),
        follow_normalisation=config.data.mean == "weights",
    )


def normalisation_warning(config: Config, report: Report) -> str | None:
    """The notes of initial weights that were made for other colours than the config has; None where there are none."""
    found = [note for note in report.notes if "normalised by" in note]
    if not found:
        return None
    return (
        f"train.init={config.train.init}: {found[0]}, by data.mean and data.std. Set data.mean=weights and "
        "data.std=weights to follow the weights"
    )


def _read_start(source: str) -> Weights:
    if source == f"vidtok:{MOTION_START}":
        return read_weights(MOTION_FILE)
    if source.startswith("timm:"):
        return _timm_weights(source)
    if is_pretrained(source) or (Path(source).is_dir() and (Path(source) / WEIGHTS).is_file()):
        return read_weights(source)
    file = find_checkpoint(source)
    if not file.is_dir():
        return read_weights(file)
    checkpoint = load_checkpoint(file)  # sharded
    return Weights(
        path=file,
        format="shards",
        state=checkpoint.weights,
        classes=checkpoint.classes,
        origin=of_description(checkpoint.description, source=str(file)) if checkpoint.description else None,
    )


def _timm_weights(source: str) -> Weights:
    """The weights of timm's image ViT of this name, and what timm knows of them."""
    import timm

    try:
        image: Any = timm.create_model(source.removeprefix("timm:"), pretrained=True)
    except Exception as error:  # an unknown name, no network, a hub that answers nonsense: each its own kind
        raise CheckpointError(f"train.init={source}: timm cannot get these weights: {error}") from error
    facts, grid = image.pretrained_cfg, getattr(getattr(image, "patch_embed", None), "grid_size", None)
    origin = Origin(source=source, normalisation=(colours(facts["mean"]), colours(facts["std"])))
    state = image.state_dict()
    if grid is not None and "blocks.0.attn.qkv.weight" in state:
        rows, columns = state["patch_embed.proj.weight"].shape[2:]
        size = (grid[0] * rows, grid[1] * columns)
        origin = replace(origin, frames=1, size=size, options={"heads": image.blocks[0].attn.num_heads})
    return Weights(path=Path(source), format="timm", state=state, classes=None, origin=origin)


def describe_start(source: str, report: Report) -> str:
    """What the initial weights are, and what was left as it was, in words."""
    return f"initial weights of {source} ({'all weights' if report.whole else report})"
