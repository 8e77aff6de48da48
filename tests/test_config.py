"""Rules between sections; what a file looks like is tested beside the reader."""

import pytest

from tests.defaults import defaults
from tests.test_config_data import data
from tests.test_config_train import TRAIN
from vidtok.config import Config, EvalConfig, RunConfig
from vidtok.config_train import TrainConfig


def test_a_picture_that_is_seen_whole_is_one_view():
    whole = {"data": data(fit="squeeze", short_side=None), "model": {"name": "vivit"}, "train": TrainConfig(**TRAIN)}
    with pytest.raises(ValueError, match=r"eval\.crops 3: with data\.fit squeeze all of a picture is one view"):
        Config(**whole)
    assert Config(**whole, eval=EvalConfig(crops=1)).eval.crops == 1


def test_a_step_has_whole_videos():
    whole = {"data": data(repeats=3), "model": {"name": "vivit"}}
    assert Config(**whole, train=TrainConfig(**{**TRAIN, "batch": 6})).data.repeats == 3
    with pytest.raises(ValueError, match=r"data\.repeats 3 must divide train\.batch 8"):
        Config(**whole, train=TrainConfig(**{**TRAIN, "batch": 8}))


def test_what_is_taken_where_nothing_is_said():
    """A default that moves changes everyone's runs: it is meant, or it is a slip."""
    assert defaults(RunConfig) == {
        "dir": None,
        "seed": 0,
        "device": "auto",
        "deterministic": False,
        "wait_minutes": 120.0,
    }
    assert {key: value for key, value in defaults(EvalConfig).items() if value is not None} == {
        "clips": 4,
        "crops": 3,
        "aggregate": "logits",
        "control": "none",
        "opposites": (),
        "batch": 8,
        "train_sample": 32,
        "max_views": 96,
        "report": True,
        "after_train": True,
    }
    assert defaults(Config) == {"run": RunConfig(), "eval": EvalConfig(), "plugins": ()}
