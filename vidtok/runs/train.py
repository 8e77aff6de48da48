"""Train a network, and test it at the end: one function, from its config to its figures."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from vidtok.build import (
    Lists,
    build_input_remedy,
    build_lists,
    build_model,
    build_train_batches,
    eval_views,
    train_views,
    unspoilt_train_views,
)
from vidtok.build_train import (
    build_loss,
    build_mixing,
    build_optimizer,
    build_scaler,
    build_schedule,
    describe_start,
    highest_rate,
    init_weights,
    prepare_training,
    set_head_bias,
)
from vidtok.config import Config
from vidtok.config_io import difference, find_config, load_config_text, to_yaml
from vidtok.data.lists import Records, describe
from vidtok.data.survey import crop_warning, short_warning, survey
from vidtok.data.suspicions import list_suspicions
from vidtok.data.transforms import flip_warning
from vidtok.errors import CheckpointError
from vidtok.infer.evaluate import Figures
from vidtok.models.classifier import Classifier
from vidtok.runs.kernels import try_kernels
from vidtok.runs.test import CONFUSION, measure_predictions, predict, test
from vidtok.train.checkpoint import Checkpoint
from vidtok.train.checks import empty_classes_warning, geometry_warning, rate_warning
from vidtok.train.curves import plot_curves
from vidtok.train.ema import Averages
from vidtok.train.fsdp import shard_model, whole_weights
from vidtok.train.groups import NEW
from vidtok.train.lock import locked_by_first
from vidtok.train.log import Log
from vidtok.train.loop import train
from vidtok.train.parallel import Parallel, start_parallel
from vidtok.train.state import Progress, RunState, new_layers
from vidtok.train.store import Store
from vidtok.video.sample import spread
from vidtok.viz.clip_rows import clip_rows, target_words
from vidtok.viz.confusion import scores_confusion

SHOWN = 6
"""Clips of the first step that TensorBoard shows."""

# These may change between the parts of a run: they do not alter what is computed.
FREE_KEYS = (
    *("run.dir", "run.device", "data.workers", "data.root", "eval"),
    *("train.parallel", "train.keep_checkpoints", "train.sharded_checkpoints"),
)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a run ended."""

    folder: Path
    finished: bool
    """False: it was asked to stop, and saved where it stood."""
    figures: Figures | None
    """Of the test at its end; None where there was none."""


def run_train(cfg: str | Path | Config, overrides: Sequence[str] = (), *, resume: str | None = None) -> Trained:
    """Train by a config: a file, the name of one that comes with vidtok, or a checked one; then test.

    `overrides` change keys of it (`train.lr=1e-3`). A run that was stopped goes on where its folder's newest checkpoint
    stands; `resume` names another to start from, and "" insists that the folder has one. Under torchrun each process
    calls this. Raises VidtokError for what the user can mend.
    """
    config = find_config(cfg, overrides)
    lists = build_lists(config)
    with (
        start_parallel(config.run.device, form=config.train.parallel) as parallel,
        locked_by_first(Path(str(config.run.dir)), parallel),
    ):
        return run_training(config, lists, parallel, resume=resume)


def run_training(config: Config, lists: Lists, parallel: Parallel, *, resume: str | None) -> Trained:
    """The whole run on this process."""
    folder = Path(str(config.run.dir))
    settings = config.train
    store = Store(
        folder=folder / "checkpoints",
        parallel=parallel,
        keep=settings.keep_checkpoints,
        sharded=settings.sharded_checkpoints,
    )
    model = build_model(config, lists.classes)

    # Where the weights come from: 1. the run's own newest checkpoint, 2. --resume, 3. train.init, 4. scratch.
    checkpoint, new, origin = None, None, "from scratch"
    if (start := store.find_start(resume)) is not None:
        checkpoint = store.open(start)
        check_same(config, checkpoint, start.path, lists.classes)
        new, origin = new_layers(checkpoint.optimizer), f"going on from {start.path}"
    elif settings.init is not None:
        report = init_weights(model, settings.init)
        new, origin = frozenset(report.missing), describe_start(settings.init, report)
    if checkpoint is None and settings.head_bias is not None:
        set_head_bias(model, settings.head_bias, new=new)

    broken = try_kernels(model.to(parallel.device), parallel, precision=settings.precision, backward=True)
    prepare_training(config, model, parallel.device)
    if parallel.sharded:
        shard_model(model, device=parallel.device, bf16=settings.precision == "bf16")
    optimizer = build_optimizer(config, model, new=new or ())
    schedule = build_schedule(config, optimizer)
    state = RunState(
        model=model,
        optimizer=optimizer,
        averages=Averages(model, decay=settings.ema_decay) if settings.ema_decay is not None else None,
        scaler=build_scaler(config, parallel.device),
    )
    if start is not None and checkpoint is not None:
        store.restore(state, checkpoint, start)
        del checkpoint
    progress, averages = state.progress, state.averages

    log = Log(
        folder if parallel.is_main else None,
        steps=settings.steps,
        first_step=progress.step,
        remedy=build_input_remedy(config),
    )
    if parallel.is_main:
        (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    size = sum(parameter.numel() for parameter in model.parameters())
    counts = {"processes": parallel.world, "threads": torch.get_num_threads(), "restarts": parallel.restarts}
    counts["averages"] = averages is not None
    log.event("start", step=progress.step, origin=origin, parameters=size, **counts)
    if parallel.restarts:
        log.say(f"torchrun has started all processes again after one died: restart {parallel.restarts}")
    log.say(
        f"{config.model['name']}, {size / 1e6:.2f} M parameters, {len(lists.classes)} classes | "
        f"train {len(lists.train)}, val {len(lists.val)} videos | {parallel.world} x {parallel.device} | {origin}"
    )
    for text in (describe(lists.train), describe(lists.val), *start_notes(config, model, new)):
        log.say(text)
    for text in (*(() if start is None else start.notes), *start_warnings(config, lists, new), *broken):
        log.warn(text)

    newest = None if start is None else start.path

    def save(at: Progress) -> None:
        nonlocal newest
        newest = store.save(state, config=to_yaml(config), classes=lists.classes)
        log.event("saved", step=at.step, path=str(newest))

    def keep_best(at: Progress) -> None:
        path = store.save_best(state, config=to_yaml(config), classes=lists.classes)
        log.event("best", **at.best, path=str(path))

    def validate(trained: nn.Module) -> Mapping[str, float]:
        assert isinstance(trained, Classifier)
        with whole_weights(trained):
            predictions = predict(config, trained, lists.val, parallel, views=eval_views(config, single=True))
        figures = measure_predictions(config, predictions, lists.val, aggregate="logits")
        name, value = next(iter(figures.values.items()))  # the first is the one that is followed
        if parallel.is_main:
            scores = predictions.scores("logits", kind=settings.loss)
            heading = f"validation at step {progress.step}: {name} {value:.3f}, one view"
            picture = scores_confusion(scores, predictions.labels, lists.classes, heading=heading)
            if picture is not None:
                log.picture("val/confusion", progress.step, picture)
        return {name: value}

    def show(views: Tensor, targets: Tensor) -> None:
        if len(views):
            titles = [target_words(target, lists.classes) for target in targets[:SHOWN].tolist()]
            log.picture("train/examples", progress.step, clip_rows(views[:SHOWN], titles))

    try:
        ended = train(
            model,
            optimizer,
            schedule,
            loss=build_loss(config, lists.classes),
            batches=build_train_batches(config, lists.train, parallel, first_step=progress.step),
            records=len(lists.train),
            progress=progress,
            steps=settings.steps,
            parallel=parallel,
            log=log,
            save=save,
            keep_best=keep_best,
            validate=validate,
            mixing=build_mixing(config),
            averages=averages,
            scaler=state.scaler,
            seed=config.run.seed,
            precision=settings.precision,
            accumulate=settings.accumulate,
            clip_norm=settings.clip_norm,
            frozen_statistics=settings.batch_norm == "frozen",
            max_bad_fraction=config.data.max_bad_fraction,
            log_every=settings.log_every,
            save_every=settings.save_every,
            eval_every=config.eval.every,
            show=show if parallel.is_main else None,
        )
        log.end_bar()
        if not ended:
            log.say(f"stopped after step {progress.step} of {settings.steps}; the same command goes on from {newest}")
            return Trained(folder=folder, finished=False, figures=None)
        if parallel.is_main:
            log.say(f"curves: {plot_curves(folder)}")
        if not config.eval.after_train:
            return Trained(folder=folder, finished=True, figures=None)
        with nullcontext() if averages is None else averages.in_place_of(model):
            with whole_weights(model):
                compared = compare_geometries(config, model, lists.train, parallel, log)
                figures = test(
                    config,
                    model,
                    lists.val,
                    parallel,
                    out=folder / "test",
                    checkpoint=str(newest),
                    warn=log.warn,
                    more={"train_sample": compared},
                )
        log.scalars("test", progress.step, **figures.as_dict())
        if parallel.is_main and (confusion := folder / "test" / CONFUSION).exists():
            with Image.open(confusion) as picture:
                log.picture("test/confusion", progress.step, picture)
    finally:
        log.close()
    return Trained(folder=folder, finished=True, figures=figures)


def compare_geometries(
    config: Config, model: Classifier, train: Records, parallel: Parallel, log: Log
) -> dict[str, float | int] | None:
    """Test a sample of the training videos by the testing views and by the crops of training, and say what they make.

    Without mirroring, augmentation and controls: what differs is where the pictures lie. None where nothing could be
    read, or no sample is wanted.
    """
    plain = config.model_copy(update={"eval": config.eval.model_copy(update={"control": "none"})})
    sample = train.subset(spread(len(train), config.eval.train_sample))
    if not len(sample):
        return None
    found = []
    for views in (eval_views(plain), unspoilt_train_views(plain)):
        predictions = predict(plain, model, sample, parallel, views=views)
        own = replace(predictions, labels=tuple(sample[index].labels for index in predictions.indices))
        if not len(own):
            return None
        figures = measure_predictions(plain, own, sample, aggregate=plain.eval.aggregate)
        found.append(next(iter(figures.readable.items())))
    (name, tested), (_, trained) = found
    log.say(f"{len(own)} training videos | by the testing views {name} {tested:.3f} | as trained {name} {trained:.3f}")
    if text := geometry_warning(name, tested=tested, trained=trained, n=len(own)):
        log.warn(text)
    return {"n": len(own), f"{name}_testing_views": tested, f"{name}_training_crops": trained}


def start_notes(config: Config, model: Classifier, new: Collection[str] | None) -> list[str]:
    """What the settings came to: the scaled rate, what is frozen, which layers are new."""
    settings, notes = config.train, []
    if settings.lr_batch is not None:
        notes.append(
            f"learning rate: {settings.lr:g} for {settings.lr_batch} clips per step is "
            f"{highest_rate(config):g} for {settings.batch}"
        )
    if settings.freeze:
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
        trained = sum(size for size, trains in sizes if trains)
        notes.append(f"frozen: all but {trained / 1e6:.3f} of {sum(size for size, _ in sizes) / 1e6:.3f} M parameters")
    if NEW in settings.lr_scale and new:
        notes.append(f"{len(new)} new parameters have {settings.lr_scale[NEW]:g} times the rate of the others")
    return notes


def start_warnings(config: Config, lists: Lists, new: Collection[str] | None) -> list[str]:
    """What is probably not meant."""
    warnings = [
        rate_warning(config.train.optimizer, highest_rate(config)),
        empty_classes_warning(lists.train.labels_seen(), lists.classes, name=config.data.train),
        flip_warning(lists.classes) if config.data.flip else None,
        *list_suspicions(lists.train, lists.val, lists.classes),
    ]
    views = train_views(config.data)
    seen = survey(lists.train, views, backend=config.data.backend)
    warnings += [crop_warning(seen, views), short_warning(seen, views, which="training")]
    if NEW in config.train.lr_scale and new is None:
        warnings.append(f"train.lr_scale.{NEW} has no effect without train.init: all parameters are new")
    return [text for text in warnings if text is not None]


def check_same(config: Config, checkpoint: Checkpoint, path: Path, classes: Sequence[str]) -> None:
    """Raise CheckpointError that shows every key in which this run differs from the one in the checkpoint."""
    before = load_config_text(checkpoint.config, source=f"config in {path}")
    lines = difference(config, before, ignore=FREE_KEYS)
    if tuple(classes) != checkpoint.classes:
        lines.append(f"classes: {len(classes)} in the list | {len(checkpoint.classes)} in the checkpoint")
    if lines:
        raise CheckpointError(
            f"{path}: this run was started with another configuration (now | then):\n  " + "\n  ".join(lines) + "\n"
            "Undo the change to go on, or set run.dir to another folder to start anew."
        )
