"""Train a network, and test it at the end: one function, from its config to its figures."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from vidtok.build import Lists, build_lists, build_model, follow_checkpoint
from vidtok.build_data import build_input_remedy, build_train_batches, build_train_plan, eval_views, run_steps
from vidtok.build_resume import fingerprints, kept_bad, plan_resumption
from vidtok.build_train import (
    build_loss,
    build_mixing,
    build_optimizer,
    build_scaler,
    build_schedule,
    describe_start,
    normalisation_warning,
    prepare_training,
    set_head_bias,
    start_source,
    start_weights,
)
from vidtok.build_words import config_words, told_in_config_words
from vidtok.config import Config
from vidtok.config_io import find_config, to_yaml
from vidtok.data.lists import describe
from vidtok.errors import NotFiniteError
from vidtok.infer.evaluate import Figures
from vidtok.models.classifier import Classifier
from vidtok.runs.geometries import compare_geometries
from vidtok.runs.kernels import try_kernels
from vidtok.runs.test import CONFUSION, measure_predictions, predict, test
from vidtok.runs.train_words import TEST_MEMORY, TRAIN_MEMORY, check_mixing, remedy, start_notes, start_warnings
from vidtok.train.curves import plot_curves
from vidtok.train.determinism import deterministic
from vidtok.train.ema import Averages
from vidtok.train.fsdp import shard_model, whole_weights
from vidtok.train.lock import locked_by_first
from vidtok.train.log import Log
from vidtok.train.loop import out_of_patience, train
from vidtok.train.memory import memory_told
from vidtok.train.parallel import Parallel, start_parallel
from vidtok.train.state import Progress, RunState, new_layers
from vidtok.train.store import Store
from vidtok.viz.clip_rows import clip_rows, target_words
from vidtok.viz.confusion import scores_confusion

SHOWN = 6
"""Clips of the first step that TensorBoard shows."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a run ended."""

    folder: Path
    finished: bool
    """False: it was asked to stop, and saved where it stood."""
    figures: Figures | None
    """Of the test at its end; None where there was none."""


def run_train(
    cfg: str | Path | Config, overrides: Sequence[str] = (), *, resume: str | None = None, new_segment: bool = False
) -> Trained:
    """Train by a config: a file, the name of one that comes with vidtok, or a checked one; then test.

    `overrides` change keys of it (`train.lr=1e-3`). A run that was stopped goes on where its folder's newest checkpoint
    stands; `resume` names another to start from, and "" insists that the folder has one. With `new_segment` it goes on
    although the config is another one now: with another rate, or more steps. Under torchrun each process calls this.
    Raises VidtokError for what the user can mend.
    """
    config = find_config(cfg, overrides)
    lists = build_lists(config)
    run = config.run
    with (
        told_in_config_words(),
        deterministic(run.deterministic),
        memory_told(TRAIN_MEMORY),
        start_parallel(run.device, form=config.train.parallel, wait_minutes=run.wait_minutes) as parallel,
        locked_by_first(Path(str(run.dir)), parallel),
    ):
        return run_training(config, lists, parallel, resume=resume, new_segment=new_segment)


def run_training(
    config: Config, lists: Lists, parallel: Parallel, *, resume: str | None, new_segment: bool = False
) -> Trained:
    """The whole run on this process."""
    # ---- the plan, and where checkpoints lie
    folder = Path(str(config.run.dir))
    settings, steps = config.train, run_steps(config, len(lists.train))
    plan = build_train_plan(config, lists.train, parallel, first_step=0)
    mixing_warning = check_mixing(config, plan)
    store = Store(
        folder=folder / "checkpoints",
        parallel=parallel,
        keep=settings.keep_checkpoints,
        sharded=settings.sharded_checkpoints,
    )
    model = build_model(config, lists.classes)

    # ---- weights
    # Where they come from: 1. the run's own newest checkpoint, 2. --resume, 3. train.init, 4. model.encoder,
    # 5. scratch.
    checkpoint, resumption, new, origin, colours = None, None, None, "from scratch", None
    if (start := store.find_start(resume)) is not None:
        checkpoint = store.open(start)
        resumption = plan_resumption(config, checkpoint, start.path, lists, new_segment=new_segment)
        follow_checkpoint(config, model, checkpoint, source=start.path)
        new, origin = new_layers(checkpoint.optimizer), f"going on from {start.path}"
    elif (source := start_source(config)) is not None:
        report = start_weights(config, model, source)
        colours = normalisation_warning(config, report)
        new, origin = frozenset(report.missing), describe_start(source, report)
    if checkpoint is None and settings.head_bias is not None:
        set_head_bias(model, settings.head_bias, new=new)

    # ---- optimizer, schedule and state
    broken = try_kernels(model.to(parallel.device), parallel, precision=settings.precision, backward=True)
    prepare_training(config, model, parallel.device)
    if parallel.sharded:
        shard_model(model, device=parallel.device, bf16=settings.precision == "bf16")
    optimizer = build_optimizer(config, model, new=new or ())
    schedule = build_schedule(config, optimizer, steps=steps)
    state = RunState(
        model=model,
        optimizer=optimizer,
        averages=Averages(model, decay=settings.ema_decay) if settings.ema_decay is not None else None,
        scaler=build_scaler(config, parallel.device),
        lists=fingerprints(lists),
    )
    if start is not None and checkpoint is not None and resumption is not None:
        changed = resumption.new_segment
        store.restore(state, checkpoint, start, new_segment=changed, moments=resumption.moments)
        state.progress.bad = kept_bad(state.progress.bad, lists)
        if resumption.other_val:
            state.progress.best, state.progress.stale = {}, 0
        if changed and parallel.is_main:
            before = folder / f"config.{len(checkpoint.segments)}.yaml"
            before.write_text(checkpoint.config, encoding="utf-8")
        del checkpoint
    progress, averages = state.progress, state.averages
    over = progress.step >= steps or out_of_patience(progress, config.eval.patience)
    if over and start is not None:
        origin = f"finished before, at step {progress.step}: {start.path}"

    # ---- what the run says of itself
    log = Log(
        folder if parallel.is_main else None,
        steps=steps,
        first_step=progress.step,
        remedy=build_input_remedy(config),
        words=config_words,
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
    if settings.epochs is not None:
        log.say(f"{settings.epochs:g} epochs of {len(lists.train)} videos are {steps} steps")
    if resumption is not None and resumption.new_segment:
        number, listed = len(progress.segments), "".join(f"\n  {line}" for line in resumption.changes)
        log.event("segment", step=progress.step, number=number, changes=list(resumption.changes))
        log.say(f"segment {number} of the run begins behind step {progress.step}, with changes (now | then):{listed}")
    if over:
        key, value = ("steps", settings.steps) if settings.epochs is None else ("epochs", f"{settings.epochs:g}")
        longer = f"add train.{key}=N --new-segment, with N above {value}"
        log.say(
            f"this run is finished: it has made {progress.step} of {steps} steps. What comes now is its test alone. To "
            f"train longer, {longer if progress.step >= steps else 'raise eval.patience, or set it to null'}."
        )
    warnings = [*start_warnings(config, lists, new), *([mixing_warning] if mixing_warning else []), *broken]
    if colours is not None:
        warnings.insert(0, colours)
    for text in (*(() if start is None else start.notes), *(() if over else warnings)):
        log.warn(text)

    # ---- what the loop calls
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
        with whole_weights(trained), memory_told(TEST_MEMORY):
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

    # ---- training, and the test at its end
    try:
        ended = train(
            model,
            optimizer,
            schedule,
            loss=build_loss(config, lists),
            batches=build_train_batches(config, lists.train, parallel, first_step=progress.step, warn=log.warn),
            records=len(lists.train),
            progress=progress,
            steps=steps,
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
            first_pass=plan.first_pass,
            log_every=settings.log_every,
            save_every=settings.save_every,
            eval_every=config.eval.every,
            patience=config.eval.patience,
            show=show if parallel.is_main else None,
        )
        log.end_bar()
        if not ended:
            log.say(f"stopped after step {progress.step} of {steps}; the same command goes on from {newest}")
            return Trained(folder=folder, finished=False, figures=None)
        if parallel.is_main:
            log.say(f"curves: {plot_curves(folder)}")
        if not config.eval.after_train:
            return Trained(folder=folder, finished=True, figures=None)
        with nullcontext() if averages is None else averages.in_place_of(model):
            with whole_weights(model), memory_told(TEST_MEMORY):
                compared = compare_geometries(config, model, lists.train, parallel, log)
                figures = test(
                    config,
                    model,
                    lists.val,
                    parallel,
                    out=folder / "test",
                    checkpoint=str(newest),
                    warn=log.warn,
                    more={"train_sample": compared, "checkpoint_file": Path(str(newest)).name},
                )
        log.scalars("test", progress.step, **figures.as_dict())
        if parallel.is_main and (confusion := folder / "test" / CONFUSION).exists():
            with Image.open(confusion) as picture:
                log.picture("test/confusion", progress.step, picture)
    except NotFiniteError as error:
        raise NotFiniteError(f"{error}. {remedy(newest)}") from error
    finally:
        log.close()
    return Trained(folder=folder, finished=True, figures=figures)
