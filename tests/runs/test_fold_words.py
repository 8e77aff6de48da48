"""What several runs say while they are at work."""

import json

import pytest

from vidtok.runs import fold_words
from vidtok.runs.fold_words import Teller, Watched


def write(folder, *events):
    with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def train(step, time, loss=0.5):
    return {"event": "train", "time": time, "step": step, "loss": loss}


def test_where_a_run_stands(tmp_path):
    write(tmp_path, train(50, 0.0), {"event": "warning", "time": 1.0, "text": "of an earlier start"})
    run = Watched(name="fold 1", folder=tmp_path, steps=700)
    run.look()
    assert (run.words(), run.warnings) == ("fold 1 | starting", [])
    write(tmp_path, train(100, 10.0, 0.75))
    run.look()
    assert run.words() == "fold 1 | step 100/700 | loss 0.750"
    write(tmp_path, train(200, 30.0, None))
    with open(tmp_path / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "tra')  # not whole yet
    run.look()
    assert run.words() == "fold 1 | step 200/700 | 1:40 left"
    with open(tmp_path / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('in", "time": 130.0, "step": 700, "loss": 0.1}\n')
    run.look()
    assert run.words() == "fold 1 | trained, testing"


def test_a_run_without_a_log_is_starting(tmp_path):
    run = Watched(name="fold 1", folder=tmp_path / "none", steps=700)
    run.look()
    assert run.words() == "fold 1 | starting"


def test_warnings_are_told_at_once_and_once(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(fold_words.time, "monotonic", lambda: now[0])
    said = []
    teller = Teller(said.append)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    runs = [Watched(name=folder.name, folder=folder, steps=100) for folder in folders]
    for folder in folders:
        write(folder, {"event": "warning", "time": 1.0, "text": "the rate is high"})
    teller(runs)
    assert said == ["a | warning: the rate is high"]
    for folder in folders:
        write(folder, train(10, 2.0))
    teller(runs)
    assert len(said) == 1
    now[0] = 10.0
    teller(runs)
    assert said[1:] == ["a | step 10/100 | loss 0.500", "b | step 10/100 | loss 0.500"]
    now[0] = 24.0
    teller(runs)
    assert len(said) == 3
    now[0] = 25.0
    teller(runs)
    assert len(said) == 5


@pytest.mark.parametrize("minutes", [30, 120])
def test_long_runs_are_told_ever_more_rarely(tmp_path, monkeypatch, minutes):
    now = [0.0]
    monkeypatch.setattr(fold_words.time, "monotonic", lambda: now[0])
    said = []
    teller, run = Teller(said.append), Watched(name="a", folder=tmp_path, steps=100)
    for second in range(60 * minutes):
        now[0] = float(second)
        teller([run])
    assert minutes / 2 <= len(said) <= minutes / 2 + 8


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    run = Watched(name="fold 1", folder=tmp_path, steps=700)
    with open(tmp_path / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "train", "ti\n')
    write(tmp_path, train(100, 10.0, 0.75))
    run.look()
    assert run.words() == "fold 1 | step 100/700 | loss 0.750"
