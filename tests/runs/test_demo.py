"""The demo on a set and a network that take seconds: all of its parts, and its verdict."""

import pytest

from tests.conftest import ROOT, small_run
from vidtok.cli import demo
from vidtok.errors import TrainingError


def test_all_parts_run_and_a_missed_mark_is_told(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    out = tmp_path / "demo"
    out.mkdir()
    (out / "motion").symlink_to(motion)
    small = [item for item in small_run(motion, out)[2:] if not item.startswith(("run.dir", "data.train", "data.val"))]
    with pytest.raises(TrainingError, match=r"demo missed its marks .*top1 0\.\d\d \| repeated 0\.\d\d \| shuffled"):
        demo.run(["--out", str(out), *small, "data.workers=0", "eval.after_train=true", "eval.clips=1", "eval.crops=1"])
    for name in (
        "curves.png",
        "maps.mp4",
        "test/results.json",
        "test_reverse/results.json",
        "test_shuffle/predictions.csv",
    ):
        assert (out / name).is_file()
