"""The report: one file that parses, asks for nothing, and says what the results say."""

import json
import re

import pytest
import torch

from tests.conftest import called
from tests.runs.scored import write_scored
from tests.viz.reading import read_page
from vidtok.errors import DataError, DecodeError, ModelError
from vidtok.runs import run_report as run_report_module
from vidtok.runs.run_report import record_of, run_report, thumbnail, write_report
from vidtok.types import Record
from vidtok.video.write import write_video

CLASSES = ["wave <b>", "jump"]
CURVES, LR = ("training loss", "validation top1", "learning rate"), ["0", "0.1", "0.2"]


@pytest.fixture
def tested(tmp_path):
    """Four videos, of which two are taken for the other class; one of these is no video, one has failed."""
    pictures = torch.randint(0, 256, (10, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    write_video(tmp_path / "v1.mp4", pictures, fps=10)
    (tmp_path / "v3.mp4").write_text("no video")
    scores = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    run = tmp_path / "run"
    write_scored(run / "test", scores, [(0,), (0,), (1,), (1,)], CLASSES, failed=[(1,)], root=tmp_path)
    (run / "test" / "failed.csv").write_text("path,cause\nlost0.mp4,broken & gone\n")
    events = [{"event": "train", "step": s, "loss": 2.0 / s, "lr": 0.1} for s in (1, 2, 3)]
    events.append({"event": "val", "step": 3, "time": 1.0, "top1": 0.5})
    (run / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return run


def test_the_page_says_what_the_results_say(tested):
    done = called("report", tested)
    assert done.returncode == 0, done.stderr
    path = tested / "test" / "report.html"
    assert done.stdout.strip() == str(path)
    text = path.read_text(encoding="utf-8")
    reader = read_page(text)
    said = " ".join(reader.words)
    assert "motion val n=4 | top1 0.500" in said
    for heading in ("Figures", "Training", "Classes", "Confusion", "Confidence", "Mistakes", "Could not be decoded"):
        assert heading in reader.words
    assert reader.tags.count("video") == 1  # the other one cannot be read, and says so
    assert reader.tags.count("figure") == 2
    assert "v3.mp4" in said
    assert "broken & gone" in said
    assert "wave <b>" in said
    assert "b" in reader.tags  # of captions, not of the class's name
    assert "training loss" in said
    assert "validation top1" in said
    marks = {name: re.findall(r'text-anchor="end">([\d.]+)<', text[text.index(f">{name}<") :])[:3] for name in CURVES}
    assert marks == {"training loss": ["0.667", "1.33", "2"], "validation top1": ["0", "0.5", "1"], "learning rate": LR}
    assert "0.375" in said  # clips only


def test_the_surest_mistakes_come_first(tested):
    text = (run_report(tested)).read_text(encoding="utf-8")
    assert text.index("v1.mp4") < text.index("v3.mp4")
    rows = json.loads((tested / "test" / "results.json").read_text())["mistakes"]
    record = record_of({**rows[0], "start_seconds": 0.2, "end_seconds": 0.5})
    assert (record.path.name, record.start_seconds, record.end_seconds) == ("v1.mp4", 0.2, 0.5)


def test_where_a_network_looks_stands_in_it(tested):
    asked = []

    def look(record):
        asked.append(record.path.name)
        if record.path.name == "v1.mp4":
            raise DecodeError("gone")
        return torch.zeros(4, 3, 32, 32, dtype=torch.uint8), 5.0, ["token 1 <i>"]

    reader = read_page(write_report(tested / "test", look=look).read_text(encoding="utf-8"))
    assert asked == ["v1.mp4", "v3.mp4"]
    assert "Where it looks" in reader.words
    assert "token 1 <i>" in reader.words
    assert reader.tags.count("video") == 2

    def blind(record):
        asked.append(record.path.name)
        raise ModelError("has nothing to show")

    reader = read_page(write_report(tested / "test", look=blind).read_text(encoding="utf-8"))
    assert len(asked) == 3  # one time is enough
    assert "Where it looks" not in reader.words


def test_many_classes_have_a_list_of_confusions_and_several_labels_none(tmp_path):
    names = [f"c{i}" for i in range(41)]
    scores = torch.eye(41)[[0, 1, 2, 2]]
    write_scored(tmp_path / "many", scores, [(0,), (1,), (2,), (40,)], names)
    reader = read_page(write_report(tmp_path / "many").read_text(encoding="utf-8"))
    assert "c40 → c2" in reader.words
    assert "Accuracy, the lowest first. 37 classes have no video." in reader.words
    scores = torch.tensor([[0.9, 0.8], [0.1, 0.7]])
    write_scored(tmp_path / "several", scores, [(0, 1), ()], ["a", "b"], kind="sigmoid")
    reader = read_page(write_report(tmp_path / "several").read_text(encoding="utf-8"))
    assert "Confusion" not in reader.words
    assert "Average precision, the lowest first." in reader.words
    assert "mAP, charades" in reader.words


def test_all_videos_failed(tmp_path):
    write_scored(tmp_path / "none", torch.empty(0, 2), [], CLASSES, failed=[(0,), (1,)])
    reader = read_page(write_report(tmp_path / "none").read_text(encoding="utf-8"))
    assert "0.000" in reader.words


def test_results_of_another_kind_are_refused(tested):
    file = tested / "test" / "results.json"
    file.write_text('{"figures": {}}')
    with pytest.raises(DataError, match=r"results\.json: not the results of this version: it has no 'detail'"):
        run_report(tested)
    file.write_text("{")
    with pytest.raises(DataError, match=r"results\.json: not the results"):
        run_report(tested / "test")
    file.unlink()
    assert called("report", tested).returncode == 2


def test_figures_views_and_the_order_of_classes(tested, tmp_path):
    text = run_report(tested).read_text(encoding="utf-8")
    said = " ".join(read_page(text).words)
    for words in ("one view", "clips, centre crop", "all views", "protocol", "interval", "learning rate"):
        assert words in said
    assert text.index("training loss") < text.index("validation top1") < text.index("learning rate")
    assert "Rows: the true class; columns: what it was taken for." in said
    assert "1 videos, which count as wrong; all of them are in failed.csv." in said
    assert "draws of 5 videos with repetition" in said
    assert "run, test" in said


def test_of_the_mistakes_twelve_are_shown_and_two_looks(tmp_path):
    scores = torch.tensor([[0.9 - 0.01 * i, 0.1 + 0.01 * i] for i in range(14)])
    write_scored(tmp_path / "r", scores, [(1,)] * 14, CLASSES, root=tmp_path)
    asked = []

    def look(record):
        asked.append(record.path.name)
        return torch.zeros(4, 3, 32, 32, dtype=torch.uint8), 5.0, []

    reader = read_page(write_report(tmp_path / "r", look=look).read_text(encoding="utf-8"))
    assert reader.tags.count("figure") == 12 + 2
    assert len(asked) == 2


@pytest.mark.parametrize(("part", "frames"), [({}, 24), ({"start_seconds": 1.0, "end_seconds": 1.5}, 5)])
def test_a_thumbnail_is_the_part_in_small(tmp_path, monkeypatch, part, frames):
    write_video(tmp_path / "a.mp4", torch.randint(0, 256, (60, 3, 48, 64), dtype=torch.uint8), fps=10)
    seen, embed = [], run_report_module.embedded
    monkeypatch.setattr(
        run_report_module, "embedded", lambda p, **how: (seen.append((tuple(p.shape), how)), embed(p, **how))[1]
    )
    thumbnail(Record(path=tmp_path / "a.mp4", labels=(), video_id="a", **part))
    assert seen == [((frames, 3, 112, 149), {"fps": 8.0})]
