"""Write where a model looks as a video, a GIF, a contact sheet or raw maps."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from vidtok.build import build_trained
from vidtok.build_data import eval_views
from vidtok.build_words import told_in_config_words
from vidtok.choices import Between, ScoreKind
from vidtok.data.views import TestViews
from vidtok.errors import CheckpointError, ConfigError
from vidtok.infer.film import Question, make_film, notes_of
from vidtok.infer.pictures import Ask
from vidtok.infer.predict import model_views
from vidtok.infer.spot import Spot
from vidtok.infer.timeline import window_length
from vidtok.loading import is_saved, load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.film_files import ENDINGS, Row, write_film
from vidtok.runs.folders import make_folder
from vidtok.runs.progress import ShareProgress
from vidtok.runs.test import open_checkpoint
from vidtok.train.checkpoint import list_checkpoints
from vidtok.train.parallel import start_parallel
from vidtok.video.reader import open_video

MOST_ROWS = 8
"""Checkpoints of a run that stand below each other; of more, as many, evenly spaced, the last one among them."""
Opened = tuple[Classifier, TestViews, ScoreKind, Any, dict[str, Any]]


@told_in_config_words()
def run_visualize(
    checkpoint: str | Path | Classifier,
    video: str | Path,
    *,
    out: str | Path | Sequence[str | Path],
    overrides: Sequence[str] = (),
    cfg: str | Path | None = None,
    allow_plugins: bool = False,
    kinds: Sequence[str] = ("attention",),
    layer: int | Literal["all"] | None = None,
    head: int | Literal["all"] | None = None,
    point: tuple[float | int, float | int, float | int] | None = None,
    label: str | None = None,
    whole: bool = False,
    window_seconds: float | int | None = None,
    between: Between = "hold",
    panel_size: int | None = None,
    over_training: bool = False,
) -> Path:
    """Write the centre clip of a video, or with `whole` all of it, beside where a model looks; the path of the file.

    `checkpoint`: a run, a checkpoint, or a saved model, here or on the hub, which knows how it is fed; or a model.
    `out`: .mp4, .gif, .png (a few frames beside each other) or .npz (the raw maps); several are written from one look;
    folders that are missing are made. `kinds`: see `vidtok.infer.pictures`; `all` are those that show something of the
    network. `point`: x and y in pixels of the video, and seconds: whose attention. `label`: a class, by default the
    best. `over_training`: `checkpoint` is a run, and each of its checkpoints has a row. `allow_plugins` as in
    `open_checkpoint`. Raises VidtokError for what the user can mend.
    """
    targets = [writable(path) for path in ([out] if isinstance(out, str | Path) else out)]
    if panel_size is not None and panel_size < 16:
        raise ConfigError(f"`panel_size` is at least 16 pixels, got {panel_size}")
    if window_seconds is not None and not whole:
        raise ConfigError("`window` is the length of the parts of a whole video: it needs `whole`")
    sources = checkpoints_of(checkpoint) if over_training else [checkpoint]
    spot = None if point is None else Spot(x=point[0], y=point[1], seconds=point[2])
    rows: list[Row] = []
    for source in sources:
        model, views, kind, device, reading = _open(source, cfg, overrides, allow_plugins=allow_plugins)
        ask = Ask(layer=layer, head=head, label=None if label is None else class_number(model.classes, label))
        question = Question(kinds=tuple(kinds), ask=ask, spot=spot, between=between)
        for target in targets:
            make_folder(target.parent)
        with (
            start_parallel(device) as parallel,
            open_video(video, **reading) as reader,
            ShareProgress("asking where the model looks") as progress,
        ):
            film = make_film(
                model.to(parallel.device),
                reader,
                views,
                question,
                kind=kind,
                whole=whole,
                window_seconds=window_length(model, window_seconds) if whole else None,
                said=progress,
            )
        title = None
        if over_training:
            assert isinstance(source, Path)
            title = f"step {int(source.stem.removeprefix('step_'))}"
        rows.append(Row(film=film, title=title))
    tops = [max(values) for values in zip(*(row.film.tops for row in rows), strict=True)]
    rows = [replace(row, film=replace(row.film, tops=tuple(tops))) for row in rows]  # one scale for all steps
    with open_video(video, **reading) as reader:
        name = Path(video).name
        said = []
        for path in targets:
            with ShareProgress(f"drawing {path.name}") as progress:
                said.append(write_film(path, rows, reader, views, heading=name, panel_size=panel_size, said=progress))
    film = rows[-1].film
    best = film.guesses[len(film.guesses) // 2]
    print(f"{name}: {', '.join(f'{name} {score:.3f}' for name, score in best)}")
    for note in notes_of(film.panels):
        print(f"  {note}")
    for line in said:
        print(line)
    return targets[0]


def _open(
    source: str | Path | Classifier, cfg: str | Path | None, overrides: Sequence[str], *, allow_plugins: bool
) -> Opened:
    """A model, how clips are taken, what kind its scores are, where it runs, and how videos are read."""
    if isinstance(source, Classifier) or (is_saved(source) and cfg is None):
        if overrides:
            which = "this" if isinstance(source, Classifier) else source
            raise ConfigError(f"{overrides[0]}: {which} is a saved model, which is shown what it is made for")
        model = source if isinstance(source, Classifier) else load_model(source)
        return model, model_views(model), (model.feeding.scores if model.feeding else "softmax"), "auto", {}
    named = None if cfg is None else str(cfg)
    opened, config = open_checkpoint(str(source), named, overrides, allow_plugins=allow_plugins)
    reading = {"backend": config.data.backend, "timeout_seconds": config.data.timeout_seconds}
    model = build_trained(config, opened, source=source)
    return model, eval_views(config, single=True), config.train.loss, config.run.device, reading


def checkpoints_of(run: str | Path | Classifier) -> list[Path]:
    """The checkpoints of a run, oldest first, MOST_ROWS of them at most. CheckpointError where there are none."""
    if isinstance(run, Classifier):
        raise ConfigError("checkpoints are those of a run: name its folder, not a model")
    folder = Path(run)
    found = list_checkpoints(folder) or list_checkpoints(folder / "checkpoints")
    if not found:
        raise CheckpointError(f"{folder}: no checkpoints in this folder; name that of a run of `vidtok train`")
    if len(found) <= MOST_ROWS:
        return found
    return [found[(len(found) - 1) * place // (MOST_ROWS - 1)] for place in range(MOST_ROWS)]


def class_number(classes: Sequence[str], name: str) -> int:
    """Where a class stands among those of a model; ConfigError, with the nearest one, for a name that is not there."""
    if name in classes:
        return list(classes).index(name)
    near = difflib.get_close_matches(name, classes, n=1)
    hint = (
        f"did you mean {near[0]!r}?" if near else f"it has {', '.join(classes[:8])}{' …' if len(classes) > 8 else ''}"
    )
    raise ConfigError(f"`class`: the model has no class {name!r}; {hint}")


def writable(out: str | Path) -> Path:
    """The path of a file to be written, before any work is done for it; ConfigError where none can be written there."""
    path = Path(out)
    if path.is_dir():
        raise ConfigError(f"out: {path} is a folder; name a file such as {path / 'maps.mp4'}")
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(
            f"out: {path}: the video is an .mp4 file; {path.with_suffix('.mp4')} would do "
            f"({', '.join(ENDINGS[1:])} are written as well)"
        )
    there = next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir():
        raise ConfigError(f"out: {path}: {there} is a file, so nothing can be written below it")
    if not os.access(there, os.W_OK):
        raise ConfigError(f"out: {path}: there is no right to write in {there}")
    return path
