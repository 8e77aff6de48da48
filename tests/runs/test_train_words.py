"""What a run says at its start of settings that are probably not meant."""

from tests.conftest import ROOT, small_run
from vidtok.build import build_lists
from vidtok.config_io import load_config
from vidtok.runs.train_words import start_warnings


def test_mirroring_left_and_right_is_warned_of(motion, tmp_path):
    _, cfg, *settings = small_run(motion, tmp_path)
    for flip, wanted in (("true", ["2 of 8 class names tell left from right: right, left; "]), ("false", [])):
        config = load_config(ROOT / cfg, [*settings, f"data.flip={flip}"])
        said = start_warnings(config, build_lists(config), None)
        found = [text for text in said if "left from right" in text]
        assert [sign in text for sign, text in zip(wanted, found, strict=True)] == [True] * len(wanted)


def test_what_is_probably_not_meant_is_said_at_the_start(motion, tmp_path):
    (tmp_path / "classes.txt").write_text((motion / "classes.txt").read_text() + "never seen\n")
    _, cfg, *settings = small_run(motion, tmp_path / "run")
    settings += [f"data.classes={tmp_path / 'classes.txt'}", "train.lr=0.5", "train.lr_scale={new: 10.0}"]
    config = load_config(ROOT / cfg, settings)
    rate, empty, new = start_warnings(config, build_lists(config), None)
    assert "the highest learning rate is 0.5, far above what adamw is used with" in rate
    assert "1 of 9 classes have no video in" in empty
    assert "never seen" in empty
    assert "train.lr_scale.new has no effect without train.init" in new


def test_a_clip_longer_than_the_videos_is_told_at_the_start(motion, tmp_path):
    _, cfg, *overrides = small_run(motion, tmp_path / "run")
    config = load_config(cfg, [*overrides, "data.frames=64", "data.stride=32"])
    (warned,) = [text for text in start_warnings(config, build_lists(config), None) if "longer than" in text]
    assert "a clip of 64 frames with stride 32 is longer than 16 of 16 training videos looked at" in warned
    assert "has 12 frames" in warned
