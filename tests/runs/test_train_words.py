"""What a run says at its start of settings that are probably not meant."""

from unittest.mock import Mock

import pytest

from tests.conftest import ROOT, small_run
from vidtok.build import build_lists
from vidtok.config_io import load_config
from vidtok.data.loader import TrainBatches
from vidtok.errors import ConfigError
from vidtok.models.create import create_model
from vidtok.runs.train_words import check_mixing, remedy, start_notes, start_warnings


def settings_of(tmp_path, *more):
    return load_config(ROOT / "configs/motion_vivit_tl8.yaml", [f"run.dir={tmp_path / 'run'}", *more])


def test_a_run_that_is_not_finite_goes_on_from_what_was_saved_if_anything_was(tmp_path):
    assert remedy(None).startswith("No checkpoint has been saved yet: the same command begins anew. Lower train.lr, ")
    newest = tmp_path / "step_00000004.pt"
    assert f"the newest checkpoint, {newest}, is from before and whole. Lower train.lr, " in remedy(newest)
    assert "--new-segment" in remedy(newest)


@pytest.mark.parametrize(
    ("mixing", "shares", "words"),
    [
        ([], [(1, 1, 0)], None),
        (["train.mixup_alpha=0.8"], [(4, 3, 0), (2, 2, 0)], None),
        (["train.mixup_alpha=0.8"], [(4, 1, 0), (2, 2, 0)], None),
        (["train.cutmix_alpha=1.0"], [(4, 1, 0), (2, 1, 0)], "train.mixup_alpha=0 and train.cutmix_alpha=1 mix"),
    ],
)
def test_clips_are_mixed_with_those_of_the_same_process(tmp_path, mixing, shares, words):
    """The most and the fewest clips that the processes have, step by step."""
    plan = Mock(spec=TrainBatches, shares=shares, world=2)
    said = check_mixing(settings_of(tmp_path, "train.batch=6", *mixing), plan)
    assert (said is None) == (words is None)
    if said is not None and words is not None:
        assert said.startswith(words)
        assert said.endswith(
            "some have one, which stays as it is: raise train.batch (now 6), or take fewer processes than 2"
        )


@pytest.mark.parametrize("mixing", ["train.mixup_alpha=0.5", "train.cutmix_alpha=0.5"])
def test_mixing_that_would_do_nothing_is_refused(tmp_path, mixing):
    plan = Mock(spec=TrainBatches, shares=[(1, 1, 0), (1, 0, 0)], world=4)
    with pytest.raises(ConfigError, match=r"each has one: nothing would be mixed\. Set both to 0, raise train\.batch"):
        check_mixing(settings_of(tmp_path, mixing), plan)


def test_what_the_settings_came_to(tmp_path):
    model = create_model("vivit", classes=2, frames=4, size=16, tubelet=(2, 8, 8), width=8, depth=1, heads=1)
    plain = settings_of(tmp_path, "train.lr=0.001", "train.batch=8")
    assert start_notes(plain, model, None) == []
    assert start_notes(plain, model, ["a"]) == []
    other = settings_of(tmp_path, "train.lr=0.001", "train.batch=8", "train.lr_batch=32", "train.lr_scale={new: 10.0}")
    parameters = list(model.parameters())
    for parameter in parameters[1:]:
        parameter.requires_grad_(False)
    first, *others = start_notes(other, model, [])
    assert first == "learning rate: 0.001 for 32 clips per step is 0.00025 for 8"
    whole, trained = sum(each.numel() for each in parameters), parameters[0].numel()
    assert others == [f"frozen: all but {trained / 1e6:.3f} of {whole / 1e6:.3f} M parameters"]
    assert start_notes(other, model, ["a", "b"])[-1] == "2 new parameters have 10 times the rate of the others"


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
