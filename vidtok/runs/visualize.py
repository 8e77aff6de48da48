"""Write what a network looks at as a video."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidtok.build import build_trained
from vidtok.build_data import eval_views
from vidtok.build_words import told_in_config_words
from vidtok.errors import ConfigError
from vidtok.infer.attention import attention_clip
from vidtok.infer.predict import model_views
from vidtok.loading import is_saved, load_model
from vidtok.runs.folders import make_folder
from vidtok.runs.test import open_checkpoint
from vidtok.train.parallel import start_parallel
from vidtok.video.reader import open_video
from vidtok.video.write import write_video


@told_in_config_words()
def run_visualize(
    checkpoint: str | Path,
    video: str | Path,
    *,
    out: str | Path,
    overrides: Sequence[str] = (),
    cfg: str | Path | None = None,
    allow_plugins: bool = False,
) -> Path:
    """Write the centre clip of a video beside what the network looks at, as the .mp4 file `out`; say what it is.

    `checkpoint`: a run, a checkpoint, or a saved model, here or on the hub, which knows how it is fed. Folders of `out`
    that are missing are made. `allow_plugins` as in `open_checkpoint`. Raises VidtokError for what the user can mend.
    """
    target = writable(out)
    if is_saved(checkpoint) and cfg is None:
        if overrides:
            raise ConfigError(f"{overrides[0]}: {checkpoint} is a saved model, which is shown what it is made for")
        model = load_model(checkpoint)
        views = model_views(model)
        kind, device, reading = (model.feeding.scores if model.feeding else "softmax"), "auto", {}
    else:
        named = None if cfg is None else str(cfg)
        opened, config = open_checkpoint(str(checkpoint), named, overrides, allow_plugins=allow_plugins)
        model, views = build_trained(config, opened, source=checkpoint), eval_views(config, single=True)
        kind, device = config.train.loss, config.run.device
        reading = {"backend": config.data.backend, "timeout_seconds": config.data.timeout_seconds}
    make_folder(target.parent)
    with start_parallel(device) as parallel:
        model = model.to(parallel.device)
        rng = np.random.default_rng(0)  # the centre clip draws nothing
        with open_video(video, **reading) as reader:
            (view,) = views.views(reader.pts_seconds, rng)
            frames = reader.frames_at(view.indices.tolist(), short_side=views.side(reader))
            rate = (views.clip.target_fps or reader.fps) / views.clip.stride
            if views.clip.sampling == "segments":  # the clip is as long as the video
                rate = reader.fps * len(frames) / len(reader)
        clip = views.crop(frames.pixels, view).to(parallel.device)
        shown = attention_clip(model, clip, heading=Path(video).name, kind=kind)
        write_video(target, shown.pictures, fps=rate)
    count, _, rows, columns = shown.pictures.shape
    print(f"{Path(video).name}: {', '.join(f'{name} {score:.3f}' for name, score in shown.guesses)}")
    for note in shown.notes:
        print(f"  {note}")
    print(f"{target}: {count} frames of {columns} x {rows} at {rate:.4g} per second")
    return target


def writable(out: str | Path) -> Path:
    """The path of a file to be written, before any work is done for it; ConfigError where none can be written there."""
    path = Path(out)
    if path.is_dir():
        raise ConfigError(f"out: {path} is a folder; name a file such as {path / 'maps.mp4'}")
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"out: {path}: the video is an .mp4 file; {path.with_suffix('.mp4')} would do")
    there = next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir():
        raise ConfigError(f"out: {path}: {there} is a file, so nothing can be written below it")
    if not os.access(there, os.W_OK):
        raise ConfigError(f"out: {path}: there is no right to write in {there}")
    return path
