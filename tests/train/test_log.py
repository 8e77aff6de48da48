"""The log file, what TensorBoard gets, and what is said: a bar on a terminal, lines elsewhere."""

import io
import json
import re
import resource

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.train.terminal import terminal
from vidtok.errors import TrainingError
from vidtok.train.curves import plot_curves
from vidtok.train.log import Log, clock, read_log


def tell(log, step, *, since, loss=1.0, waited=0.5, norm=3.0):
    log.progress(
        step,
        since=since,
        loss=loss,
        clips=20,
        seconds=2.0,
        waited=waited,
        rates={"decay": 0.1, "no_decay": 0.05},
        gradient_norms={"decay": norm, "no_decay": 4.0},
    )


def write(folder, first_step=0, losses=(3.0, 2.0, 1.0), figure="top1", **options):
    log = Log(folder, steps=30, first_step=first_step)
    for i, loss in enumerate(losses):
        tell(log, first_step + 10 * (i + 1), since=first_step + 10 * i, loss=loss, **options)
    log.scalars("val", first_step + 10, **{figure: 0.5})
    log.picture("val/confusion", first_step + 10, Image.new("RGB", (8, 6), (10, 200, 30)))
    log.close()


def board_of(folder):
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    return board


def test_lines_are_events_and_a_later_telling_counts(tmp_path, capsys):
    write(tmp_path)
    write(tmp_path, first_step=10, losses=(7.0,))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} == {"train", "val"}
    assert all(line["time"] > 1e9 for line in lines)
    assert [(e["step"], e["loss"]) for e in read_log(tmp_path, "train")] == [(10, 3.0), (20, 7.0), (30, 1.0)]
    assert lines[0]["rates"] == {"decay": 0.1, "no_decay": 0.05}
    assert lines[0]["lr"] == 0.1
    assert lines[0]["gradient_norm"] == 5.0
    assert (lines[0]["clips_per_second"], lines[0]["waiting"]) == (10.0, 0.25)
    assert (
        "step 10/30 | loss 3.000 | lr 1.00e-01 | 10.0 clips/s | waiting for data 25% | eta 0:04"
        in capsys.readouterr().out
    )


def test_tensorboard_gets_the_same(tmp_path):
    write(tmp_path)
    board = board_of(tmp_path)
    told = {name: [(e.step, e.value) for e in board.Scalars(name)] for name in board.Tags()["scalars"]}
    assert told["train/loss"] == [(10, 3.0), (20, 2.0), (30, 1.0)]
    assert told["lr/no_decay"][0] == (10, pytest.approx(0.05))
    assert told["gradient_norm/no_decay"][0] == (10, 4.0)
    assert told["train/gradient_norm"][0] == (10, 5.0)
    assert told["train/waiting"][0] == (10, 0.25)
    assert told["val/top1"] == [(10, 0.5)]
    (picture,) = board.Images("val/confusion")
    assert picture.step == 10
    pixels = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)))
    assert pixels.shape == (6, 8, 3)
    assert (pixels == (10, 200, 30)).all()


def test_a_resumed_run_takes_the_place_of_what_was_told(tmp_path):
    write(tmp_path)
    write(tmp_path, first_step=10, losses=(7.0,))
    assert [(e.step, e.value) for e in board_of(tmp_path).Scalars("train/loss")] == [(10, 3.0), (20, 7.0)]


def test_numbers_that_are_not_finite_leave_the_log_valid(tmp_path):
    def strict(word):
        raise AssertionError(f"{word} is not JSON")

    write(tmp_path, losses=(1.0,), norm=float("inf"))
    line = (tmp_path / "log.jsonl").read_text().splitlines()[0]
    event = json.loads(line, parse_constant=strict)
    assert event["gradient_norm"] is None
    assert event["gradient_norms"] == {"decay": None, "no_decay": 4.0}


def test_other_processes_say_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(None)
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_is_in_the_readers_words(tmp_path, capsys):
    log = Log(tmp_path, steps=30, words=lambda text: text.replace("`lr`", "train.lr"))
    log.warn("lower `lr`")
    log.event("bad_video", path="`lr`.mp4", cause="too many `lr`")
    log.close()
    assert "warning: lower train.lr" in capsys.readouterr().out
    warned, bad = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert warned["text"] == "lower train.lr"
    assert (bad["path"], bad["cause"]) == ("`lr`.mp4", "too many train.lr")


def test_a_run_that_waits_for_data_is_told_once_what_to_do(tmp_path, capsys):
    log = Log(tmp_path, steps=100, remedy="raise data.workers")
    for step in range(10, 60, 10):
        tell(log, step, since=step - 10, waited=1.5)
    log.close()
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("step")]
    assert said == ["input bound: 75% of the time waits for data; raise data.workers"]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "input_bound"] == [20]


def test_on_a_terminal_a_bar_has_the_figures_and_the_time_left(tmp_path, monkeypatch, capsys):
    with terminal(monkeypatch) as end:
        log = Log(tmp_path, steps=10, first_step=2)
        for _ in range(3):
            log.step()
        tell(log, 5, since=2)
        log.say("a line above the bar")
        log.end_bar()
        log.say("a line behind it")
        log.close()
        shown = end()
    assert "5/10" in shown
    assert "loss 1.000 | lr 1.00e-01 | 10.0 clips/s | waiting for data 25%" in shown
    assert re.search(r"\d\d:\d\d<", shown)
    assert capsys.readouterr().out.splitlines() == ["a line above the bar", "a line behind it"]


def test_on_a_terminal_without_a_size_there_are_lines(tmp_path, monkeypatch, capsys):
    with terminal(monkeypatch, rows=0, columns=0) as end:
        log = Log(tmp_path, steps=10)
        log.step()
        tell(log, 1, since=0)
        log.close()
        assert end() == ""
    assert capsys.readouterr().out.startswith("step 1/10 | loss 1.000")


def test_clock():
    assert [clock(s) for s in (4.4, 75.0, 3700.0)] == ["0:04", "1:15", "1:01:40"]


@pytest.mark.parametrize("end", ['{"event": "train", "st', '{"event": "train", "step": 40}', "\0\0\0", "12", '"text"'])
def test_a_line_that_was_cut_off_is_left_out_and_what_comes_behind_it_is_not(tmp_path, end):
    write(tmp_path)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write(end)  # a full disk, a power cut
    whole = end.endswith("}")
    assert [event["step"] for event in read_log(tmp_path, "train")] == [10, 20, 30] + [40] * whole
    write(tmp_path, first_step=40)
    assert [event["step"] for event in read_log(tmp_path, "train")] == [10, 20, 30] + [40] * whole + [50, 60, 70]
    plot_curves(tmp_path)
    assert (tmp_path / "log.jsonl").read_text().count("\n\n") == 0


def test_a_log_that_cannot_be_written_is_told_in_one_message(tmp_path):
    (tmp_path / "log.jsonl").write_text("x" * 4095 + "\n")
    log = Log(tmp_path, steps=30)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4106, limits[1]))  # a write beyond it fails, as on a full disk
        with pytest.raises(TrainingError, match=r"log\.jsonl: the log cannot be written: File too large"):
            log.event("start", step=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.close()
    assert (tmp_path / "log.jsonl").stat().st_size == 4106
    write(tmp_path)  # later, with room again
    assert [event["step"] for event in read_log(tmp_path, "train")] == [10, 20, 30]
