"""Test a checkpoint on the validation list with many views per video."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidtok.build import build_trained, build_val, class_file, config_of
from vidtok.build_data import build_eval_batches, eval_views
from vidtok.build_words import config_words, told_in_config_words
from vidtok.config import Config
from vidtok.config_io import find_config, load_config_text
from vidtok.data.geometry import rows_columns, size_words
from vidtok.data.lists import Records, describe, read_classes
from vidtok.data.survey import short_warning, survey
from vidtok.data.views import TestViews, TrainViews
from vidtok.errors import CheckpointError, ConfigError
from vidtok.infer.evaluate import Aggregate, Figures, Predictions, measure, merge, predict_views
from vidtok.loading import is_on_hub, is_saved, load_model
from vidtok.models.classifier import Classifier, is_pretrained
from vidtok.runs.figures import detail_of, figure_lines, groups_of, mistake_rows
from vidtok.runs.folders import make_folder
from vidtok.runs.kernels import try_kernels
from vidtok.runs.looks import looks_of
from vidtok.runs.progress import FileProgress, counted
from vidtok.runs.results import (
    figure_words,
    largest_share,
    opposite_share,
    result_line,
    write_class_figures,
    write_damaged,
    write_failed,
    write_predictions,
    write_results,
    write_scores,
)
from vidtok.runs.run_report import write_report
from vidtok.train.checkpoint import Checkpoint, find_checkpoint
from vidtok.train.checks import majority_warning
from vidtok.train.opening import load_checkpoint
from vidtok.train.parallel import Parallel, start_parallel
from vidtok.viz.confusion import scores_confusion

CONFUSION = "confusion.png"


@told_in_config_words()
def run_test(
    checkpoint: str | Path,
    overrides: Sequence[str] = (),
    *,
    cfg: str | Path | None = None,
    videos: str | Path | None = None,
    out: str | Path | None = None,
    allow_plugins: bool = False,
) -> Figures:
    """Test a checkpoint, the newest one of a run's folder, or a saved model, with `eval.clips` x `eval.crops` views.

    The config is the one that it was trained with, or `cfg`, with `overrides` on top. `videos`: a list, or a folder
    with a sub-folder per class, in place of the config's `data.val`. A saved model, here or on the hub, needs one of
    the two: with `videos` alone it is fed as it was in training.
    results.json, predictions.csv and the confusion matrix go to `out`, by default to the folder that `results_folder`
    gives; a model on the hub has none. `allow_plugins` as in `open_checkpoint`.
    Raises VidtokError for what the user can mend.
    """
    path = str(checkpoint)
    model, opened, config = None, None, None
    if videos is not None:
        overrides = [*overrides, f"data.val={json.dumps(str(videos))}"]
    if is_pretrained(path) or (is_saved(path) and (cfg is not None or videos is not None)):
        model, config = open_saved(path, None if cfg is None else str(cfg), overrides, videos=videos)
        classes = model.classes
    else:
        named = None if cfg is None else str(cfg)
        opened, config = open_checkpoint(path, named, overrides, allow_plugins=allow_plugins)
        classes = opened.classes
    if not out and is_on_hub(path):
        raise ConfigError(f"{path}: a model on the hub has no folder here for its results; name one with `out`")
    folder = Path(out) if out else results_folder(path, config)
    make_folder(folder)
    with start_parallel(config.run.device, wait_minutes=config.run.wait_minutes) as parallel:
        if opened is not None:
            model = build_trained(config, opened, source=checkpoint)
        assert model is not None
        broken = try_kernels(model.to(parallel.device), parallel, precision=config.train.precision, backward=False)
        val = build_val(config, classes)
        if parallel.is_main:
            print(describe(val), f"results: {folder}", *(f"warning: {line}" for line in broken), sep="\n", flush=True)
            views = eval_views(config)
            data = config.data
            seen = survey(val, views, backend=data.backend, timeout_seconds=data.timeout_seconds)
            if text := short_warning(seen, views, which="testing"):
                say_warning(text)
        more = {} if opened is None else {"checkpoint_file": find_checkpoint(path).name}
        return test(config, model, val, parallel, out=folder, checkpoint=path, warn=say_warning, more=more)


def results_folder(checkpoint: str, config: Config) -> Path:
    """Beside what was named: test/ in the run's folder, or test_CONTROL/ for a test with a control.

    A run's folder is the one that was named, or the one around checkpoints/FILE; for another file, its own folder.
    """
    path = Path(checkpoint)
    if not path.is_dir() or path.suffix == ".shards":
        path = path.parent
    if path.name == "checkpoints":
        path = path.parent
    control = config.eval.control
    return path / ("test" if control == "none" else f"test_{control}")


def open_saved(
    path: str, cfg: str | None, overrides: Sequence[str], *, videos: str | Path | None
) -> tuple[Classifier, Config]:
    """A saved model, and the config to test it with: `cfg`, or one for `videos` that feeds it as it was fed.

    Raises ConfigError for clips that it does not take.
    """
    if cfg is None and videos is None:
        raise ConfigError(
            f"{path}: a saved model does not say which videos to test it on: name their list with --list, or a config "
            "with --cfg"
        )
    model = load_model(path)
    config = find_config(config_of(model, val=str(videos)) if cfg is None else cfg, overrides)
    plan = model.architecture
    if plan is not None:
        wanted, size = rows_columns(plan.size), rows_columns(config.data.size)
        if (plan.frames, wanted) != (config.data.frames, size):
            raise ConfigError(
                f"{path}: takes clips of {plan.frames} frames of {size_words(wanted)} pixels, but "
                f"{cfg or 'the config'} has {config.data.frames} of {size_words(size)}: set data.frames={plan.frames} "
                f"data.size={plan.size if isinstance(plan.size, int) else list(plan.size)}"
            )
    check_same_classes(config, model.classes, path)
    return model, config


def open_checkpoint(
    path: str, cfg: str | None, overrides: Sequence[str], *, allow_plugins: bool = False
) -> tuple[Checkpoint, Config]:
    """A checkpoint, and the config to use it with: the one named, or the one in the checkpoint; overrides on top.

    Modules of plugins that the checkpoint itself names are imported with `allow_plugins` alone.
    """
    checkpoint = load_checkpoint(find_checkpoint(path))
    if cfg is None:
        said = f"config in {path}"
        return checkpoint, load_config_text(checkpoint.config, overrides, source=said, allow_plugins=allow_plugins)
    config = find_config(cfg, overrides)
    if config.data.classes is not None or Path(config.data.val).is_dir():
        check_same_classes(config, checkpoint.classes, path)
    return checkpoint, config


def check_same_classes(config: Config, classes: Sequence[str], path: str) -> None:
    """Raise CheckpointError where the config's class file and the model do not name the same classes."""
    if config.data.classes is None:
        return
    names = read_classes(class_file(config.data.classes))
    if tuple(names) != tuple(classes):
        here, there = [name for name in names if name not in classes], len(classes)
        raise CheckpointError(
            f"{path}: trained for {there} classes ({', '.join(classes[:4])} …), but "
            f"{config.data.classes} names {len(names)}"
            + (f", among them {', '.join(here[:4])}" if here else ", in another order")
        )


def say_warning(text: str) -> None:
    print(f"warning: {text}", flush=True)


def predict(
    config: Config,
    model: Classifier,
    val: Records,
    parallel: Parallel,
    *,
    views: TestViews | TrainViews | None = None,
    progress: FileProgress | None = None,
) -> Predictions:
    """Logits of all views of all videos, on every process; None: the views of `eval`.

    What failed says why in the configuration's words. `progress` counts the videos of this process.
    """
    views = eval_views(config) if views is None else views
    joined = views.clips if model.network.joins_clips and isinstance(views, TestViews) else 1
    batches = build_eval_batches(config, val, parallel, views)
    own = predict_views(
        model,
        batches if progress is None else counted(batches, progress),
        classes=len(model.classes),
        device=parallel.device,
        precision=config.train.precision,
        max_views=max(1, config.eval.max_views // joined),
        joined=joined,
    )
    found = merge(parallel.gather(own))
    return replace(found, failures=tuple(replace(each, cause=config_words(each.cause)) for each in found.failures))


def measure_predictions(
    config: Config,
    predictions: Predictions,
    val: Records,
    *,
    aggregate: Aggregate,
    view: Callable[[int], int | slice] | None = None,
) -> Figures:
    """The figures that belong to the loss that the model was trained with; failed videos count as wrong."""
    kind = config.train.loss
    scores = predictions.scores(aggregate, kind=kind, view=view)
    missed = [val[failure.index].labels for failure in predictions.failures]
    return measure(scores, predictions.labels, kind=kind, missed=missed, damaged=len(predictions.damaged))


def test(
    config: Config,
    model: Classifier,
    val: Records,
    parallel: Parallel,
    *,
    out: Path,
    checkpoint: str,
    warn: Callable[[str], None],
    more: Mapping[str, Any],
) -> Figures:
    """Test, print the figures and the result line, and write into `out` what the test found.

        results.json       the figures with their intervals, those of fewer views, the protocol, and `more`
        predictions.csv    a row per video with its five best classes; predictions.npz has all scores
        classes.csv        the figures of each class, confusion.csv and confusion.png what was taken for what
        failed.csv         the videos that could not be decoded
        report.html        all of it as a page, where `eval.report` is set and there is no control
        damaged.csv        the videos of which damaged frames were used

    `warn` says what is probably not meant.
    """
    names = {name for pair in config.eval.opposites for name in pair}
    if strange := sorted(names - set(model.classes)):
        raise ConfigError(f"eval.opposites: {strange[0]!r} is none of the classes ({', '.join(model.classes[:8])})")
    groups = groups_of(config, val)
    # The other precisions are tested as they are trained, under autocast; sharded weights are in no one's hand to fold.
    folds = config.train.precision == "float32" and not parallel.sharded
    shown = model.for_inference() if folds else model
    # Each process has as many videos, so that the first one's share is that of all.
    with FileProgress(-(-len(val) // parallel.world)) if parallel.is_main else nullcontext() as progress:
        predictions = predict(config, shown, val, parallel, progress=progress)
    aggregate, views = config.eval.aggregate, eval_views(config)
    scores = predictions.scores(aggregate, kind=config.train.loss)
    figures = measure_predictions(config, predictions, val, aggregate=aggregate)
    single = measure_predictions(config, predictions, val, aggregate=aggregate, view=views.single_of)
    clips = measure_predictions(config, predictions, val, aggregate=aggregate, view=views.centres_of)
    opposite = opposite_share(scores, predictions, model.classes, config) if config.eval.control == "reverse" else None
    if parallel.is_main:
        missed = [val[failure.index].labels for failure in predictions.failures]
        largest = largest_share([*predictions.labels, *missed])
        top1 = figures.values.get("top1")
        if largest is not None and top1 is not None and config.eval.control == "none":
            text = majority_warning(top1, largest=largest, n=figures.n)
            if text is not None:
                warn(text)
        detail = detail_of(predictions, scores, val, groups, kind=config.train.loss)
        by_views = {"1 view": single.values, f"{views.clips} clips": clips.values}
        by_views[f"{views.clips}x{views.crops} views"] = figures.values
        charades = detail.estimates.get("mAP_charades") if config.eval.protocol == "charades_10x3" else None
        line = result_line(
            *(config, val, figures, single, opposite),
            largest_class=largest,
            charades=None if charades is None else charades.value,
        )
        print("\n".join(figure_lines(detail, by_views, grouped=config.eval.group is not None)))
        print(line, flush=True)
        figures_by_name = {
            "figures": figures.as_dict(),
            "single_view": single.as_dict(),
            "clips_only": clips.as_dict(),
            "detail": detail.as_dict(model.classes),
            "mistakes": mistake_rows(detail, predictions, val, model.classes),
            "opposite": opposite,
            "largest_class": largest,
            **more,
        }
        write_results(out, config, val, figures_by_name, line=line, checkpoint=checkpoint)
        write_predictions(out / "predictions.csv", predictions, scores, model.classes)
        write_scores(out / "predictions.npz", predictions, scores, model.classes, val=val, groups=groups)
        write_class_figures(out, scores, predictions.labels, model.classes)
        write_failed(out / "failed.csv", predictions)
        write_damaged(damaged := out / "damaged.csv", predictions)
        heading = f"test: {figure_words(figures.values)}, {views.count} views"
        picture = scores_confusion(scores, predictions.labels, model.classes, heading=heading)
        if picture is not None:
            picture.save(out / CONFUSION)
        if config.eval.report and config.eval.control == "none":
            look = None
            if not parallel.sharded:  # with shards all processes would have to look
                reading = {"backend": config.data.backend, "timeout_seconds": config.data.timeout_seconds}
                look = looks_of(model, eval_views(config, single=True), kind=config.train.loss, **reading)
            write_report(out, look=look)
        if figures.failed:
            failed = out / "failed.csv"
            print(f"{figures.failed} videos could not be decoded and count as wrong; they are listed in {failed}")
        if figures.damaged:
            print(f"{figures.damaged} videos have damaged frames, and count as they are; they are listed in {damaged}")
    return figures
