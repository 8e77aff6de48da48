"""Write what a network looks at as a video."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidtok.build import build_model, eval_views
from vidtok.cli import add_overrides, parser
from vidtok.cli.test import open_checkpoint
from vidtok.train.checkpoint import load_weights
from vidtok.train.parallel import start_parallel
from vidtok.video.reader import open_video
from vidtok.video.write import write_video
from vidtok.visualize import attention_clip


def run(arguments: Sequence[str]) -> int:
    cli = parser("Write a video's centre clip beside its TokenLearner maps and the last layer's attention.")
    cli.add_argument("--cfg", help="config file; default: the config that the checkpoint was trained with")
    cli.add_argument("--checkpoint", required=True, help="a checkpoint file, or the folder of a run (its newest one)")
    cli.add_argument("video", help="any video file")
    cli.add_argument("--out", required=True, help="the .mp4 file to write")
    add_overrides(cli)
    args = cli.parse_intermixed_args(arguments)

    checkpoint, config = open_checkpoint(args.checkpoint, args.cfg, args.overrides)
    views, data = eval_views(config, single=True), config.data
    with start_parallel(config.run.device) as parallel:
        model = build_model(config, checkpoint.classes).to(parallel.device)
        load_weights(model, checkpoint.weights, source=args.checkpoint)
        rng = np.random.default_rng(0)  # the centre clip draws nothing
        with open_video(args.video, backend=data.backend, timeout_seconds=data.timeout_seconds) as reader:
            (view,) = views.views(reader.pts_seconds, rng)
            frames = reader.frames_at(view.indices.tolist(), short_side=views.short_side)
            rate = (config.data.target_fps or reader.fps) / config.data.stride
            if config.data.sampling == "segments":  # the clip is as long as the video
                rate = reader.fps * len(frames) / len(reader)
        clip = views.crop(frames.pixels, view).to(parallel.device)
        pictures = attention_clip(model, clip, heading=Path(args.video).name, kind=config.train.loss)
        write_video(args.out, pictures, fps=rate)
    print(f"{args.out}: {len(pictures)} frames of {pictures.shape[3]} x {pictures.shape[2]} at {rate:.4g} per second")
    return 0
