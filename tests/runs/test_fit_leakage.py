"""What `fit` reports of labels that mean nothing: copies on both sides of a division would be told by heart."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from vidtok.runs.fit import run_fit
from vidtok.video.write import write_video

ORIGINALS, FRAMES, SEEDS = 20, 4, 5


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Pictures of random patches that drift, each also mirrored, and again in another encoding."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(ORIGINALS):
        rng = np.random.default_rng(number)
        still = rng.integers(0, 256, (3, 6, 8)).repeat(16, 1).repeat(16, 2)
        pixels = torch.from_numpy(np.stack([np.roll(still, 3 * t, axis=2) for t in range(6)]).astype(np.uint8))
        for name, own, crf in (("a", pixels, 18), ("mirrored", pixels.flip(3), 20), ("again", pixels, 30)):
            write_video(folder / f"{number:02}_{name}.mp4", own, fps=10.0, crf=crf, preset="ultrafast")
    return folder


def random_list(clips: Path, *, seed: int) -> Path:
    """Half of the originals of each class; copies have their original's label."""
    order = np.random.default_rng(1000 + seed).permutation(ORIGINALS)
    label = {number: ("one", "two")[place % 2] for place, number in enumerate(order.tolist())}
    path = clips / f"list_{seed}.csv"
    rows = [f"{file.name},{label[int(file.name[:2])]}" for file in sorted(clips.glob("*.mp4"))]
    path.write_text("path,label\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.slow
def test_random_labels_are_told_by_chance_though_every_clip_has_copies(clips, tmp_path):
    figures = []
    for seed in range(SEEDS):
        fitted = run_fit(random_list(clips, seed=seed), out=tmp_path / "run", frames=FRAMES, folds=3, seed=seed)
        figures.append(fitted.value)
        folds = defaultdict(set)
        for video in json.loads((tmp_path / "run" / "fit.json").read_text("utf-8"))["videos"]:
            folds[Path(video["video"]).name[:2]].add(video["fold"])
        assert len(folds) == ORIGINALS
        assert [name for name, own in folds.items() if len(own) > 1] == []
    error = (0.25 / (ORIGINALS * SEEDS)) ** 0.5
    assert abs(np.mean(figures) - 0.5) < 2 * error, figures
