"""Labelling by requests: the list, clips and their previews, and a fit that is started, told and stopped."""

import json
import time

import pytest

pytest.importorskip("uvicorn")
from tests.page.served import Visitor, served
from vidtok.page.serve import Labelling

FIT = """
import json, sys, time
from pathlib import Path
print("fit of", sys.argv[1], flush=True)
if "--fail" in sys.argv: sys.exit("error: a.mp4: cannot be decoded")
while "--wait" in sys.argv: time.sleep(0.05)
model = Path(sys.argv[sys.argv.index("--out") + 1]) / "model"
model.mkdir(parents=True)
(model / "config.json").write_text(json.dumps({"class_names": ["jump", "run", "wave"]}))
print("fit ok: top1 1.00 | one frame 0.50", flush=True)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for name in ("a.mp4", "b.avi", "c.mp4"):
        (folder / name).write_bytes(name.encode())
    labelling = Labelling(folder=folder, classes=["run", "jump"], out=folder / "runs" / "mine")
    with served(labelling=labelling) as both:
        yield both


def put(visitor, path, told):
    return visitor(path, "PUT", json.dumps(told).encode(), content_type="application/json")


def test_clips_get_classes(page):
    visitor, desk = page
    told = visitor("/labels").json
    assert [clip["name"] for clip in told["clips"]] == ["a.mp4", "b.avi", "c.mp4"]
    assert told["fit"] == "none"
    assert visitor("/state").json["labels"] is True
    assert put(visitor, "/labels/2", {"label": "jump"}).json["clips"][2]["label"] == "jump"
    assert desk.labels.file.read_text() == "path,label\nc.mp4,jump\n"
    assert put(visitor, "/labels/2", {"label": None}).status == 200
    assert desk.labels.file.read_text() == "path,label\n"
    assert put(visitor, "/labels/classes", {"classes": ["run", "jump", "wave"]}).json["classes"][2]["name"] == "wave"


@pytest.mark.parametrize(
    ("path", "told", "status", "words"),
    [
        ("/labels/0", {"label": "swim"}, 400, "there is no class 'swim'"),
        ("/labels/0", {}, 400, "there is no class ''"),
        ("/labels/0", {"label": 3}, 400, 'expected {"label": "name"}'),
        ("/labels/0", [], 400, "the body is a JSON object"),
        ("/labels/3", {"label": "run"}, 404, "there is no such clip"),
        ("/labels/x", {"label": "run"}, 404, "Not Found"),
        ("/labels/classes", {"classes": "run"}, 400, 'expected {"classes"'),
        ("/labels/classes", {"classes": ["run", "jump", "a;b"]}, 400, "is no name of a class"),
        ("/labels/classes", {"classes": ["x" * 70_000]}, 413, "bytes of JSON"),
    ],
)
def test_what_cannot_be_is_told(page, path, told, status, words):
    answer = put(page[0], path, told)
    assert (answer.status, words in answer.error) == (status, True), answer.body


def test_a_body_that_is_no_json_is_told(page):
    assert page[0]("/labels/0", "PUT", b"{").error == "the body is not JSON"


def test_clips_are_shown_as_they_are_or_as_a_preview(page):
    visitor, desk = page
    assert visitor("/labels/0/video").body == b"a.mp4"
    assert visitor("/labels/0/video").headers["content-type"] == "video/mp4"
    assert visitor("/labels/1/video").status == 415
    preview = visitor("/labels/1/preview.mp4")
    assert (preview.status, preview.body) == (200, bytes(range(256)))
    desk.queue._worker.tasks.clear()
    assert visitor("/labels/1/preview.mp4").status == 200
    assert not desk.queue._worker.tasks, "it is made once"
    assert visitor("/labels/9/preview.mp4").status == 404


def test_a_fit_is_told_line_by_line_and_its_model_can_be_chosen(page, tmp_path, monkeypatch):
    visitor, desk = page
    (tmp_path / "vidtok.py").write_text(FIT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert visitor("/fit", "POST").error == "no clip has a class yet"
    put(visitor, "/labels/0", {"label": "run"})
    put(visitor, "/labels/1", {"label": "jump"})
    assert visitor("/fit", "POST").status == 202
    events = visitor.events("/fit/events")
    log = "".join(event["log"] for event in events)
    assert log == "fit of fit\nfit ok: top1 1.00 | one frame 0.50\n"
    assert events[-1]["state"] == "done"
    assert [event["start"] for event in events][-1] == len(log)
    assert visitor("/state").json["models"][-1] == {"name": "mine", "classes": ["jump", "run", "wave"]}, (
        "the model's own"
    )
    assert desk.model("mine").source == str(desk.labels.folder / "runs" / "mine" / "model")
    before = len(desk.models)
    desk.fits.options = ["--fail"]
    assert visitor("/fit", "POST").status == 202
    assert visitor.events("/fit/events")[-1]["state"] == "failed"
    assert "cannot be decoded" in desk.fits.log.read_text()
    desk.fits.options = ["--wait"]
    assert visitor("/fit", "POST").status == 202
    assert visitor("/fit", "POST").error == "a fit is at work already; wait for its end, or stop it"
    began = time.monotonic()
    assert visitor("/fit", "DELETE").json["state"] == "stopped"
    assert time.monotonic() - began < 4
    assert visitor.events("/fit/events")[-1]["state"] == "stopped"
    assert len(desk.models) == before


def test_without_a_folder_there_is_nothing_to_label():
    with served() as (visitor, _):
        for path, method in (("/labels", "GET"), ("/fit", "POST"), ("/fit", "DELETE"), ("/labels/0", "PUT")):
            assert "--label FOLDER" in Visitor(visitor.port)(path, method).error
