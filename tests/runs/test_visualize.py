"""The attention video, read back."""

import json
import shutil

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, small_run
from vidtok.cli import train, visualize
from vidtok.errors import ConfigError, VidtokError
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.runs.visualize import MOST_ROWS, checkpoints_of, class_number, run_visualize
from vidtok.viz.overlay import GAP, LINE


@pytest.fixture(scope="module")
def trained(motion, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert train.run([*small_run(motion, run), "train.steps=1", "data.workers=0"]) == 0
    return run


@pytest.mark.parametrize(("stride", "rate"), [(1, 12), (2, 6)])
def test_the_video_is_the_clip_at_its_own_pace(motion, trained, tmp_path, capsys, stride, rate):
    out = tmp_path / "maps.mp4"
    video = motion / "val" / "00004.mp4"
    assert visualize.run(["--checkpoint", str(trained), str(video), "--out", str(out), f"data.stride={stride}"]) == 0
    said = capsys.readouterr().out.splitlines()
    guesses = [part.rsplit(" ", 1) for part in said[0].removeprefix("00004.mp4: ").split(", ")]
    assert {name for name, _ in guesses} <= set((motion / "classes.txt").read_text("utf-8").split("\n"))
    scores = [float(score) for _, score in guesses]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert said[1].startswith("  attention: block 2 of 2, mhsa. Query: mean over all learned tokens. Shown: attention")
    assert said[2].startswith("  token 1 … 8: TokenLearner before block 2 of 2. Query: each learned token.")
    assert said[3].startswith(f"{out}: 8 frames of ")
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert len(frames) == 8
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.width % 2 == stream.height % 2 == 0
        assert float(stream.average_rate) == rate
    # Fast start: the index lies before the pictures, so that a browser can begin at once.
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_row_for_each_checkpoint_of_a_run(motion, trained, tmp_path, capsys):
    run = tmp_path / "run"
    (newest,) = (trained / "checkpoints").glob("step_*.pt")
    for step in (1, 2):
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        shutil.copy(newest, run / "checkpoints" / f"step_{step:08d}.pt")
    video, out, maps = motion / "val" / "00004.mp4", tmp_path / "steps.png", tmp_path / "steps.npz"
    options = ["--kind", "tokens", "--panel-size", "32", "--out", str(out), "--out", str(maps)]
    assert visualize.run(["--checkpoints", str(run), str(video), *options]) == 0
    with np.load(maps) as found:
        panels = json.loads(str(found["words"]))["panels"]
        assert [panel["row"] for panel in panels] == ["step 1"] * 8 + ["step 2"] * 8
        assert found["map_15"].shape[0] == 1
        assert np.array_equal(found["map_3"], found["map_11"])  # one checkpoint twice
    with Image.open(out) as image:
        assert image.size[0] == 472  # nine cells of 32 pixels are narrower than the legend
        assert 2 * (32 + LINE + GAP) < image.size[1] < 4 * (32 + LINE + GAP) + 12 * LINE
    assert f"{out}: frame 5 of 8" in capsys.readouterr().out
    with pytest.raises(VidtokError, match="no checkpoints in this folder; name that of a run"):
        visualize.run(["--checkpoints", str(tmp_path), str(video), "--out", str(out)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "tokns"], "--kind: there is no kind of picture 'tokns'; did you mean 'tokens'"),
        (["--kind", "super_tokens"], "super_tokens shows nothing of this network, .* there are attention, gradient"),
        (["--kind", "query", "--head", "9"], "--head=9: .* has heads 1 to 2"),
        (["--class", "rihgt"], "--class: the model has no class 'rihgt'; did you mean 'right'"),
        (["--kind", "query", "--point", "500,4,0.5"], "--point: 500,4 is outside of the pictures, 96 x 80"),
        (["--window", "2"], "--window is the length of the parts of a whole video: it needs --whole"),
        (["--panel-size", "3"], "--panel-size is at least 16 pixels, got 3"),
    ],
)
def test_what_cannot_be_shown_is_said_in_the_command_s_words(motion, trained, tmp_path, options, words):
    video = str(motion / "val" / "00004.mp4")
    with pytest.raises(VidtokError, match=words):
        visualize.run(["--checkpoint", str(trained), video, "--out", str(tmp_path / "a.mp4"), *options])
    assert not (tmp_path / "a.mp4").exists()


def test_a_broken_video_is_named(trained, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VidtokError, match=r"text\.mp4"):
        visualize.run(["--checkpoint", str(trained), str(tmp_path / "text.mp4"), "--out", str(tmp_path / "o.mp4")])
    assert not (tmp_path / "o.mp4").exists()


def test_folders_that_are_missing_are_made(motion, trained, tmp_path):
    out = tmp_path / "new" / "folder" / "maps.mp4"
    assert visualize.run(["--checkpoint", str(trained), str(motion / "val" / "00004.mp4"), "--out", str(out)]) == 0
    assert out.is_file()


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (".", "is a folder; name a file such as"),
        ("maps", r"the video is an \.mp4 file; .*maps\.mp4 would do"),
        ("maps.avi", r"the video is an \.mp4 file; .*maps\.mp4 would do"),
        ("text/maps.mp4", "text is a file, so nothing can be written below it"),
        ("text/deeper/maps.mp4", "text is a file, so nothing can be written below it"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_any_work(tmp_path, monkeypatch, out, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("a file")
    with pytest.raises(VidtokError, match=words):
        visualize.run(["--checkpoint", "nowhere", "a.mp4", "--out", out])


def test_odd_input_is_named(motion, trained, tmp_path):
    out = str(tmp_path / "o.mp4")
    video = str(motion / "val" / "00004.mp4")
    for checkpoint, shown, words in (
        (tmp_path / "nowhere", video, "nowhere"),
        (tmp_path, video, "no checkpoint in this folder"),
        (trained, tmp_path / "none.mp4", r"none\.mp4"),
        (trained, motion / "train.csv", r"train\.csv"),
    ):
        with pytest.raises(VidtokError, match=words):
            visualize.run(["--checkpoint", str(checkpoint), str(shown), "--out", out])
    assert not (tmp_path / "o.mp4").exists()


def test_a_model_itself_is_shown_what_it_is_made_for(motion, tmp_path, capsys):
    sizes = {"width": 12, "depth": 1, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 16}
    model = create_model("vivit", classes=["a", "b"], feeding=Feeding(stride=1, short_side=20), seed=0, **sizes)
    video, out = motion / "val" / "00004.mp4", tmp_path / "a.png"
    assert run_visualize(model, video, out=out, panel_size=16) == out
    said = capsys.readouterr().out.splitlines()
    assert sorted(said[0].removeprefix("00004.mp4: ").split(", ")) == ["a 0.500", "b 0.500"]
    assert said[-1].startswith(f"{out}: 4 of 4 frames, ")
    for options, words in (
        ({"overrides": ["data.stride=2"]}, "data.stride=2: this is a saved model, which is shown what it is made for"),
        ({"panel_size": 15}, "is at least 16 pixels, got 15"),
        ({"over_training": True}, "checkpoints are those of a run: name its folder, not a model"),
    ):
        with pytest.raises(ConfigError, match=words):
            run_visualize(model, video, out=out, **options)
    saved = tmp_path / "saved"
    model.save_pretrained(saved)
    assert run_visualize(saved, video, out=out, panel_size=16) == out
    assert capsys.readouterr().out.splitlines()[0] == said[0]
    with pytest.raises(ConfigError, match=f"data.stride=2: {saved} is a saved model"):
        run_visualize(saved, video, out=out, overrides=["data.stride=2"])


def test_of_many_checkpoints_some_have_a_row_evenly_spaced(tmp_path):
    for step in range(1, 16):
        (tmp_path / f"step_{step:08d}.pt").touch()
        if step == MOST_ROWS:
            assert [int(path.stem[5:]) for path in checkpoints_of(tmp_path)] == list(range(1, 9))
    assert [int(path.stem[5:]) for path in checkpoints_of(tmp_path)] == [1, 3, 5, 7, 9, 11, 13, 15]


def test_classes_by_their_names():
    assert class_number(["run", "jump"], "jump") == 1
    with pytest.raises(ConfigError, match=r"has no class 'x'; it has run, jump$"):
        class_number(["run", "jump"], "x")
    with pytest.raises(ConfigError, match=r"it has a0, a1, a2, a3, a4, a5, a6, a7 …$"):
        class_number([f"a{k}" for k in range(9)], "zzz")
