"""A classifier from a folder of one's own clips, and labels for videos: the two commands, one after the other."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

import vidtok
from tests.runs.own_clips import COLOURS, ENCODER, encoder_file, own_clips
from tests.viz.reading import read_page
from vidtok.cli import fit, predict, visualize
from vidtok.errors import CheckpointError, ConfigError, DataError
from vidtok.infer.predict import predict_videos
from vidtok.models import encoders
from vidtok.runs.compare import read_scores
from vidtok.runs.encoder_choice import choose_encoder
from vidtok.runs.fit import run_fit
from vidtok.runs.fit_model import encoder_model
from vidtok.runs.fit_set import encode_set, read_set
from vidtok.runs.parquet import read_parquet
from vidtok.runs.predict import run_predict
from vidtok.video.reader import open_video


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with clips, an encoder's weights, and a run of `fit` on them."""
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips")
    encoder = f"{ENCODER}={encoder_file(folder / 'encoder.safetensors')}"
    arguments = [str(folder / "clips"), "--out", str(folder / "run"), "--encoder", encoder, "--group", r"/(p\d)_"]
    assert fit.run([*arguments, "--frames", "4"]) == 0
    return folder


def encoder_of(desk: Path) -> str:
    return f"{ENCODER}={desk / 'encoder.safetensors'}"


def test_the_last_line_and_the_figures_agree(desk):
    told = json.loads((desk / "run" / "fit.json").read_text("utf-8"))
    assert told["line"].startswith(f"fit ok: top1 {told['plain']:.2f} ± ")
    assert "(3 folds, 18 videos) | one frame " in told["line"]
    assert told["plain"] >= 0.9
    right = [video["predicted"] == Path(video["video"]).parent.name for video in told["videos"]]
    assert sum(right) / 18 == pytest.approx(told["plain"])
    folds = {(video["group"], video["fold"]) for video in told["videos"]}
    assert len(folds) == 3, "each group is in one fold"
    assert list(told["seconds"]) == ["encoding", "choosing and measuring", "one frame", "model"]
    assert f" | {sum(told['seconds'].values()):.0f} s | " in told["line"]


def test_it_leaves_a_report_scores_and_a_card_with_its_figures(desk):
    told = json.loads((desk / "run" / "fit.json").read_text("utf-8"))
    top1 = told["detail"]["figures"]["top1"]
    assert top1["value"] == pytest.approx(told["plain"])
    assert told["detail"]["intervals"]["drawn"] == 3  # groups
    reader = read_page((desk / "run" / "report.html").read_text("utf-8"))
    assert told["line"] in reader.words
    card = (desk / "run" / "model" / "README.md").read_text("utf-8")
    assert "- Videos: 18 videos of clips\n" in card
    assert "top1 " in card
    assert f"| top1 | {told['plain']:.3f} |" in card
    scored = read_scores(desk / "run")
    assert len(scored.keys) == 18
    assert float(scored.hits.double().mean()) == pytest.approx(told["plain"])


@pytest.mark.slow
def test_without_any_weights_vidtok_s_own_network_serves_and_the_last_line_names_it(tmp_path, capsys, monkeypatch):
    def nothing(name: str):
        raise CheckpointError(f"{name}: the hub does not answer")

    monkeypatch.setattr(encoders, "package_file", lambda package: None)
    monkeypatch.setattr(encoders, "from_hub", nothing)
    monkeypatch.chdir(tmp_path)
    few = own_clips(tmp_path / "clips", each=3)
    fitted = run_fit(few, group=r"/(p\d)_", licence="cc-by-4.0")
    told = capsys.readouterr().out
    assert "\nencoder: motion_casvit, from the package vidtok" in told
    assert "\nnote: no weights of a picture network are at hand (tf_efficientnet_lite0: the hub does not" in told
    assert " | motion_casvit, " in fitted.line
    assert fitted.line.endswith(" | runs/fit_clips")
    card = (tmp_path / "runs" / "fit_clips" / "model" / "README.md").read_text("utf-8")
    assert "license: cc-by-4.0" in card
    assert "- Weights that it began with: motion_casvit, from the package vidtok" in card
    assert fitted.model.predict(few / "red" / "p0_0.mp4").classes == tuple(COLOURS)


def test_a_second_call_encodes_nothing(desk, capsys, monkeypatch):
    monkeypatch.setattr("vidtok.infer.summarise.clip_summaries", None)
    again = run_fit(desk / "clips", out=desk / "run", encoder=encoder_of(desk), group=r"/(p\d)_", frames=4)
    assert again.value == json.loads((desk / "run" / "fit.json").read_text("utf-8"))["plain"]


def test_a_changed_video_is_encoded_again(desk, tmp_path):
    shutil.copytree(desk / "clips", tmp_path / "clips")
    shutil.copytree(desk / "run" / "features", tmp_path / "run" / "features")
    before = {file.name for file in (tmp_path / "run" / "features").iterdir()}
    shutil.copy(tmp_path / "clips" / "red" / "p0_0.mp4", tmp_path / "clips" / "blue" / "p1_1.mp4")
    videos = read_set(tmp_path / "clips", root=None, classes=None, format="auto")
    for frames in (4, 5):
        model = encoder_model(
            choose_encoder(encoder_of(desk)), videos.classes, summary="mean", frames=frames, kind=videos.kind
        )
        settings = {"probe": "linear", "workers": 0, "backend": "pyav", "allow_missing": False}
        encoded = encode_set(videos, model, folder=tmp_path / "run" / "features", **settings)
        assert len(encoded.rows) == 18
        if frames == 4:
            assert {file.name for file in (tmp_path / "run" / "features").iterdir()} == before, "its content is known"
    assert len(list((tmp_path / "run" / "features").iterdir())) == 18 + 17


def test_the_saved_model_labels_as_fit_was_measured(desk, tmp_path, capsys):
    """By command, in Python, and by hand: the same classes and scores."""
    videos = [desk / "clips" / name / "p0_0.mp4" for name in COLOURS]
    out, model = tmp_path / "labels" / "out.csv", str(desk / "run" / "model")
    assert (
        predict.run(["--model", str(desk / "run" / "model"), *map(str, videos), "--out", str(out), "--top", "2"]) == 0
    )
    assert "3 videos labelled, 0 before, 0 failed" in capsys.readouterr().out
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert [row["class_1"] for row in rows] == list(COLOURS)
    found = list(predict_videos(vidtok.load(model), videos))
    assert [f"{each.scores.max():.6f}" for each in found] == [row["score_1"] for row in rows]
    assert all(float(each.scores.sum()) == pytest.approx(1.0) for each in found)
    assert predict.run(["--model", model, str(videos[0])]) == 0
    assert capsys.readouterr().out.startswith(f"{videos[0]}   blue {found[0].scores.max():.3f}   ")


@pytest.mark.parametrize(("name", "lost"), [("out.csv", 9), ("out.csv", 3), ("out.jsonl", 9)])
def test_what_was_cut_off_is_labelled_again_and_nothing_twice(desk, tmp_path, name, lost):
    folder, out = desk / "clips" / "red", tmp_path / name
    first = run_predict(desk / "run" / "model", [folder], out=out)
    assert (first.done, first.before, first.failed) == (6, 0, ())
    whole = out.read_bytes()
    out.write_bytes(whole[: len(whole) - lost])  # as a kill leaves it
    again = run_predict(desk / "run" / "model", [folder], out=out)
    assert (again.done, again.before) == (1, 5)
    assert out.read_bytes() == whole


def test_parquet_has_the_same_rows_and_goes_on(desk, tmp_path):
    pytest.importorskip("pyarrow", reason="pip install 'vidtok[parquet]'")
    folder, out = desk / "clips" / "red", tmp_path / "out.parquet"
    run_predict(desk / "run" / "model", [folder], out=tmp_path / "out.csv", all_scores=True)
    first = run_predict(desk / "run" / "model", [folder / "p0_0.mp4"], out=out, all_scores=True)
    again = run_predict(desk / "run" / "model", [folder], out=out, all_scores=True)
    assert (first.done, again.done, again.before) == (1, 5, 1)
    names, rows = read_parquet(out)
    wanted = list(csv.reader((tmp_path / "out.csv").read_text("utf-8").splitlines()))
    assert names == wanted[0]
    assert [[f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows] == wanted[1:]
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.endswith(".way")) == [
        "out.csv",
        "out.parquet",
    ]


def test_broken_videos_are_named_and_tried_again(desk, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    shutil.copy(desk / "clips" / "red" / "p0_0.mp4", folder / "a.mp4")
    (folder / "b.mp4").write_text("no video")
    arguments = ["--model", str(desk / "run" / "model"), str(folder), "--out", str(tmp_path / "out.csv")]
    assert predict.run(arguments) == 1
    told = capsys.readouterr()
    assert "1 videos labelled, 0 before, 1 failed" in told.out
    assert "b.mp4" in told.out
    assert predict.run([*arguments, "--allow-missing"]) == 0
    assert "0 videos labelled, 1 before, 1 failed" in capsys.readouterr().out
    shutil.copytree(desk / "clips", tmp_path / "clips")
    (tmp_path / "clips" / "red" / "b.mp4").write_text("no video")
    with pytest.raises(DataError, match="1 of 19 videos cannot be decoded"):
        run_fit(tmp_path / "clips", out=tmp_path / "run", encoder=encoder_of(desk), frames=4)


def test_predictions_of_another_model_are_not_mixed(desk, tmp_path):
    for name, text in (("out.csv", "video,other\nx,1\n"), ("out.jsonl", '{"video": "x", "predictions": []}\n')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match="name another file"):
            run_predict(desk / "run" / "model", [desk / "clips"], out=tmp_path / name)
        assert (tmp_path / name).read_text() == text


def test_labels_of_the_same_model_before_it_learned_more_are_not_kept_in_silence(desk, tmp_path):
    """The columns are the same: that the weights or the views are others would go unseen."""
    model, video, out = vidtok.load(desk / "run" / "model"), desk / "clips" / "red" / "p0_0.mp4", tmp_path / "out.csv"
    run_predict(model, [video], out=out)
    before = out.read_text()
    with pytest.raises(ConfigError, match=r"out\.csv: has labels of 1 videos already, by another model, or with other"):
        run_predict(model, [desk / "clips" / "red"], out=out, clips=2)
    with torch.no_grad():
        model.network.head.bias += 1.0
    with pytest.raises(ConfigError, match="by another model"):
        run_predict(model, [desk / "clips" / "red"], out=out)
    (tmp_path / ".out.csv.way").unlink()
    with pytest.raises(ConfigError, match="it is not known by what model; name another file, or remove it"):
        run_predict(model, [video], out=out)
    assert out.read_text() == before
    out.unlink()
    assert run_predict(model, [video], out=out).done == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"out": "x.txt"}, r"written as \.csv, \.jsonl or \.parquet"),
        ({"top": 0}, "count from 1"),
        ({"sources": ["none.mp4"]}, "none.mp4: no such file or folder"),
    ],
)
def test_what_cannot_be_is_told(desk, options, words):
    given = {"sources": [desk / "clips"], **options}
    with pytest.raises((ConfigError, DataError), match=words):
        run_predict(desk / "run" / "model", given.pop("sources"), **given)


def test_all_scores_and_the_order_of_classes(desk, tmp_path):
    out = tmp_path / "all.csv"
    run_predict(desk / "run" / "model", [desk / "clips" / "green"], out=out, all_scores=True)
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert list(rows[0]) == ["video", *COLOURS]
    assert all(max(COLOURS, key=lambda name: float(row[name])) == "green" for row in rows)


def test_sets_that_cannot_be_measured_are_refused(desk, tmp_path):
    own_clips(tmp_path / "few", each=1)
    with pytest.raises(DataError, match="nothing can be left out to measure with"):
        run_fit(tmp_path / "few", out=tmp_path / "run", encoder=encoder_of(desk), frames=4)
    shutil.copytree(desk / "clips" / "red", tmp_path / "one" / "red")
    with pytest.raises(DataError, match="one class"):
        run_fit(tmp_path / "one", out=tmp_path / "run", encoder=encoder_of(desk), frames=4)
    with pytest.raises(DataError, match="is not found in"):
        run_fit(desk / "clips", out=tmp_path / "run", encoder=encoder_of(desk), group="/(q)_", frames=4)


def test_copies_are_told_and_stay_together(desk, tmp_path, capsys):
    shutil.copytree(desk / "clips", tmp_path / "clips")
    for name in COLOURS:
        shutil.copy(tmp_path / "clips" / name / "p0_0.mp4", tmp_path / "clips" / name / "copy.mp4")
    run_fit(tmp_path / "clips", out=tmp_path / "run", encoder=encoder_of(desk), frames=4, folds=2)
    assert "look like copies or mirrored copies" in capsys.readouterr().out
    told = json.loads((tmp_path / "run" / "fit.json").read_text("utf-8"))
    fold = {Path(video["video"]).relative_to(tmp_path / "clips").as_posix(): video["fold"] for video in told["videos"]}
    assert all(fold[f"{name}/copy.mp4"] == fold[f"{name}/p0_0.mp4"] for name in COLOURS)


def test_the_model_is_in_evaluation_state_and_needs_no_config(desk):
    model = vidtok.load(desk / "run" / "model")
    assert not model.training
    assert model.feeding is not None
    assert (model.feeding.sampling, model.feeding.fit) == ("segments", "pad")
    assert model.feeding.video_seconds == pytest.approx(0.8), "the window of a timeline"
    assert model(torch.zeros(1, 4, 3, 224, 224, dtype=torch.uint8)).shape == (1, 3)


def test_a_saved_model_is_shown_what_it_was_made_for(desk, tmp_path, capsys):
    video = desk / "clips" / "red" / "p0_0.mp4"
    arguments = ["--checkpoint", str(desk / "run" / "model"), str(video), "--out", str(tmp_path / "maps.mp4")]
    assert visualize.run(arguments) == 0
    assert capsys.readouterr().out.startswith("p0_0.mp4: red ")
    with open_video(tmp_path / "maps.mp4") as shown:
        assert len(shown) == 4
    with pytest.raises(ConfigError, match=r"data\.stride=2: .* is a saved model"):
        visualize.run([*arguments, "data.stride=2"])
