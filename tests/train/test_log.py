"""The log file, what is said, and the curves."""

import json

import pytest
from PIL import Image

from vidtok.train.log import Log, clock, plot_curves, read_log


def write(folder, first_step=0, losses=(3.0, 2.0, 1.0), figure="top1"):
    log = Log(folder, steps=30, first_step=first_step)
    for i, loss in enumerate(losses):
        step = first_step + 10 * (i + 1)
        log.progress(step, loss=loss, lr=0.1, clips_per_second=5.0, waiting=0.25, eta_seconds=75.0)
    log.scalars("val", first_step + 10, **{figure: 0.5})
    log.close()


def test_lines_are_events_and_a_later_telling_counts(tmp_path, capsys):
    write(tmp_path)
    write(tmp_path, first_step=10, losses=(7.0,))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} == {"train", "val"}
    assert all(line["time"] > 1e9 for line in lines)
    assert [(e["step"], e["loss"]) for e in read_log(tmp_path, "train")] == [(10, 3.0), (20, 7.0), (30, 1.0)]
    assert (
        "step 10/30 | loss 3.000 | lr 1.00e-01 | 5.0 clips/s | waiting for data 25% | eta 1:15"
        in capsys.readouterr().out
    )
    assert list((tmp_path / "tensorboard").iterdir())


def test_other_processes_say_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(None)
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("figure", ["top1", "mAP"])
def test_curves_are_drawn(tmp_path, figure):
    write(tmp_path, figure=figure)
    with Image.open(plot_curves(tmp_path)) as picture:
        assert picture.size == (1200, 432)
        assert len(picture.convert("L").histogram()) - picture.convert("L").histogram().count(0) > 50


def test_clock():
    assert [clock(s) for s in (4.4, 75.0, 3700.0)] == ["0:04", "1:15", "1:01:40"]
