"""Write what a network looks at as a video."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidtok.build import build_model, eval_views, told_in_config_words
from vidtok.infer.attention import attention_clip
from vidtok.runs.folders import make_folder
from vidtok.runs.test import open_checkpoint
from vidtok.train.checkpoint import load_weights
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
) -> Path:
    """Write the centre clip of a video beside what the network looks at, as the .mp4 file `out`."""
    opened, config = open_checkpoint(str(checkpoint), None if cfg is None else str(cfg), overrides)
    views, data = eval_views(config, single=True), config.data
    make_folder(Path(out).parent)
    with start_parallel(config.run.device) as parallel:
        model = build_model(config, opened.classes).to(parallel.device)
        load_weights(model, opened.weights, source=checkpoint)
        rng = np.random.default_rng(0)  # the centre clip draws nothing
        with open_video(video, backend=data.backend, timeout_seconds=data.timeout_seconds) as reader:
            (view,) = views.views(reader.pts_seconds, rng)
            frames = reader.frames_at(view.indices.tolist(), short_side=views.side(reader))
            rate = (config.data.target_fps or reader.fps) / config.data.stride
            if config.data.sampling == "segments":  # the clip is as long as the video
                rate = reader.fps * len(frames) / len(reader)
        clip = views.crop(frames.pixels, view).to(parallel.device)
        pictures = attention_clip(model, clip, heading=Path(video).name, kind=config.train.loss)
        write_video(out, pictures, fps=rate)
    print(f"{out}: {len(pictures)} frames of {pictures.shape[3]} x {pictures.shape[2]} at {rate:.4g} per second")
    return Path(out)
