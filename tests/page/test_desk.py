"""What the server holds: models by name, samples by place, titles."""

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

pytest.importorskip("starlette")
from vidtok.page.desk import Desk, Offered, free_name, model_name, sample_title
from vidtok.page.fits import Fits
from vidtok.page.jobs import Queue
from vidtok.page.labels import LabelSet
from vidtok.page.limits import Limits, Refusal
from vidtok.page.sessions import Session, Sessions

WAVES = Offered(name="waves", source="runs/waves/model", classes=("a", "b"))


def desk_of(**options):
    parts = {"limits": Limits(), "sessions": Mock(spec=Sessions), "queue": Mock(spec=Queue), "models": {}}
    return Desk(**{**parts, **options})


def test_a_model_is_chosen_by_name_and_without_one_it_is_the_first():
    other = replace(WAVES, name="other")
    desk = desk_of(models={"waves": WAVES, "other": other})
    assert desk.model("other") is other
    assert desk.model("") is desk.model(None) is WAVES
    with pytest.raises(Refusal, match="no model 'third'; there are: waves, other") as refused:
        desk.model("third")
    assert refused.value.status == 404
    with pytest.raises(Refusal, match="there is no model yet") as refused:
        desk_of().model(None)
    assert refused.value.status == 409


@pytest.mark.parametrize("number", ["2", "-1", "", "1.0", "one", "²", "9" * 5000])
def test_a_sample_is_chosen_by_its_place(number):
    desk = desk_of(samples=[Path("a.mp4"), Path("b.mp4")])
    assert [desk.sample(place) for place in "01"] == [Path("a.mp4"), Path("b.mp4")]
    with pytest.raises(Refusal, match="no such sample") as refused:
        desk.sample(number)
    assert refused.value.status == 404


@pytest.mark.parametrize(("video", "film"), [(None, True), (Path("own.mp4"), False)])
def test_a_job_has_a_folder_of_its_own_and_all_that_its_worker_needs(tmp_path, video, film):
    limits = Limits()
    desk = desk_of(limits=limits)
    session = Mock(spec=Session, folder=tmp_path)
    job = desk.new_job(session, WAVES, title="a title", video=video, film=film)
    assert job.folder.is_dir()
    assert job.folder.parent == tmp_path
    assert job.task == {
        "do": "look",
        "video": str(video or job.folder / "video"),
        "model": "runs/waves/model",
        "title": "a title",
        "film": str(job.folder / "film.mp4") if film else None,
        "video_seconds": limits.video_seconds,
        "film_seconds": limits.film_seconds,
    }
    assert (job.title, job.result) == ("a title", {"model": "waves"})
    assert desk.new_job(session, WAVES, title="a", video=None).folder != job.folder


def test_the_model_of_a_fit_is_offered_under_a_free_name_and_again_under_its_own(tmp_path):
    run = tmp_path / "waves"
    (run / "model").mkdir(parents=True)
    done = [run]
    desk = desk_of(models={"waves": WAVES}, fits=Mock(spec=Fits, take_done=lambda: done))
    for classes in (["left", "\udcff"], ["up", "down", "on"]):
        (run / "model" / "config.json").write_text(json.dumps({"class_names": classes}), encoding="utf-8")
        desk.end_fit()
        assert list(desk.models) == ["waves", "waves 2"]
        assert desk.models["waves"] is WAVES
        found = desk.models["waves 2"]
        assert (found.name, found.source, len(found.classes)) == ("waves 2", str(run / "model"), len(classes))
        assert found.classes[0] == classes[0]
        assert "\udcff" not in found.classes, "no JSON has half a letter"
    done.clear()
    desk.end_fit()
    desk_of().end_fit()  # without labels there are no fits
    assert len(desk.models) == 2


def test_what_the_page_is_told():
    limits = Limits()
    desk = desk_of(models={"waves": WAVES}, samples=[Path("a/two_people.mp4")], limits=limits)
    assert desk.told() == {
        "models": [{"name": "waves", "classes": ("a", "b")}],
        "samples": ["two people"],
        "limits": {
            "megabytes": limits.upload_megabytes,
            "bytes": limits.upload_bytes,
            "seconds": limits.video_seconds,
            "minutes": limits.session_minutes,
        },
        "labels": False,
    }
    assert desk_of(labels=Mock(spec=LabelSet)).told()["labels"] is True


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("runs/own", "own"),
        ("runs/own/model", "own"),
        ("runs/own/checkpoints", "own"),
        ("runs/own/checkpoints/best.pt", "best"),
        ("own.safetensors", "own"),
        ("a/b.onnx", "b"),
        ("someone/model", "someone"),
        ("someone/net-2.1", "net-2.1"),
        ("model", "model"),
    ],
)
def test_a_model_is_called_by_its_run(source, name):
    assert model_name(source) == name


def test_a_name_that_is_taken_gets_a_number():
    taken = {"own": 1, "own 2": 1}
    assert free_name("own", taken) == "own 3"
    assert free_name("other", taken) == "other"


def test_a_sample_is_called_by_its_file():
    assert sample_title(Path("a/people_who_wave.mp4")) == "people who wave"
    assert sample_title(Path("a/\n\x1b.mp4")) == "sample"
