"""Test a checkpoint on the validation list with many views per video."""

from collections.abc import Sequence
from pathlib import Path

from vidtok.build import build_eval_batches, build_model, build_val, class_file, eval_views
from vidtok.config import Config
from vidtok.config_io import find_config, load_config_text
from vidtok.data.lists import Records, describe, read_classes
from vidtok.errors import CheckpointError, ConfigError
from vidtok.infer.evaluate import Aggregate, Figures, Predictions, measure, merge, predict_views
from vidtok.models.classifier import Classifier
from vidtok.runs.kernels import try_kernels
from vidtok.runs.results import opposite_share, result_line, words, write_failed, write_predictions, write_results
from vidtok.train.checkpoint import Checkpoint, find_checkpoint, load_checkpoint, load_weights
from vidtok.train.parallel import Parallel, start_parallel
from vidtok.viz.confusion import scores_confusion

CONFUSION = "confusion.png"


def run_test(
    checkpoint: str | Path,
    overrides: Sequence[str] = (),
    *,
    cfg: str | Path | None = None,
    out: str | Path | None = None,
) -> Figures:
    """Test a checkpoint, or the newest one of a run's folder, with `eval.clips` x `eval.crops` views per video.

    The config is the one that it was trained with, or `cfg`, with `overrides` on top. results.json, predictions.csv and
    the confusion matrix go to `out`, by default test/ in the run's folder. Raises VidtokError for what the user can
    mend.
    """
    opened, config = open_checkpoint(str(checkpoint), None if cfg is None else str(cfg), overrides)
    with start_parallel(config.run.device) as parallel:
        model = build_model(config, opened.classes).to(parallel.device)
        load_weights(model, opened.weights, source=checkpoint)
        broken = try_kernels(model, parallel, precision=config.train.precision, backward=False)
        val = build_val(config, opened.classes)
        if parallel.is_main:
            print(describe(val), *(f"warning: {line}" for line in broken), sep="\n", flush=True)
        folder = Path(out) if out else Path(str(config.run.dir)) / "test"
        return test(config, model, val, parallel, out=folder, checkpoint=str(checkpoint))


def open_checkpoint(path: str, cfg: str | None, overrides: Sequence[str]) -> tuple[Checkpoint, Config]:
    """A checkpoint, and the config to use it with: the one named, or the one in the checkpoint; overrides on top."""
    checkpoint = load_checkpoint(find_checkpoint(path))
    if cfg is None:
        return checkpoint, load_config_text(checkpoint.config, overrides, source=f"config in {path}")
    config = find_config(cfg, overrides)
    if config.data.classes is not None or Path(config.data.val).is_dir():
        check_classes(config, checkpoint, path)
    return checkpoint, config


def check_classes(config: Config, checkpoint: Checkpoint, path: str) -> None:
    """Raise CheckpointError where the config's class file and the checkpoint do not name the same classes."""
    if config.data.classes is None:
        return
    names = read_classes(class_file(config.data.classes))
    if names != checkpoint.classes:
        here, there = [name for name in names if name not in checkpoint.classes], len(checkpoint.classes)
        raise CheckpointError(
            f"{path}: trained for {there} classes ({', '.join(checkpoint.classes[:4])} …), but "
            f"{config.data.classes} names {len(names)}"
            + (f", among them {', '.join(here[:4])}" if here else ", in another order")
        )


def predict(
    config: Config, model: Classifier, val: Records, parallel: Parallel, *, single: bool = False
) -> Predictions:
    """Logits of all views of all videos, on every process."""
    views = eval_views(config, single=single)
    own = predict_views(
        model,
        build_eval_batches(config, val, parallel, views),
        classes=len(model.classes),
        device=parallel.device,
        precision=config.train.precision,
        max_views=config.eval.max_views,
    )
    return merge(parallel.gather(own))


def measure_predictions(
    config: Config, predictions: Predictions, val: Records, *, aggregate: Aggregate, view: int | None = None
) -> Figures:
    """The figures that belong to the loss that the model was trained with; failed videos count as wrong."""
    kind = config.train.loss
    scores = predictions.scores(aggregate, kind=kind, view=view)
    missed = [val[failure.index].labels for failure in predictions.failures]
    return measure(scores, predictions.labels, kind=kind, missed=missed)


def test(config: Config, model: Classifier, val: Records, parallel: Parallel, *, out: Path, checkpoint: str) -> Figures:
    """Test, print the result line, and write results.json, predictions.csv, confusion.png and failed.csv into `out`."""
    names = {name for pair in config.eval.opposites for name in pair}
    if strange := sorted(names - set(model.classes)):
        raise ConfigError(f"eval.opposites: {strange[0]!r} is none of the classes ({', '.join(model.classes[:8])})")
    predictions = predict(config, model, val, parallel)
    aggregate, middle = config.eval.aggregate, eval_views(config).single
    scores = predictions.scores(aggregate, kind=config.train.loss)
    figures = measure_predictions(config, predictions, val, aggregate=aggregate)
    single = measure_predictions(config, predictions, val, aggregate=aggregate, view=middle)
    opposite = opposite_share(scores, predictions, model.classes, config) if config.eval.control == "reverse" else None
    if parallel.is_main:
        line = result_line(config, val, figures, single, opposite)
        print(line, flush=True)
        figures_by_name = {"figures": figures.as_dict(), "single_view": single.as_dict(), "opposite": opposite}
        write_results(out, config, val, figures_by_name, line=line, checkpoint=checkpoint)
        write_predictions(out / "predictions.csv", predictions, scores, model.classes)
        write_failed(out / "failed.csv", predictions)
        heading = f"test: {words(figures.values)}, {eval_views(config).count} views"
        picture = scores_confusion(scores, predictions.labels, model.classes, heading=heading)
        if picture is not None:
            picture.save(out / CONFUSION)
        if figures.failed:
            failed = out / "failed.csv"
            print(f"{figures.failed} videos could not be decoded and count as wrong; they are listed in {failed}")
    return figures
