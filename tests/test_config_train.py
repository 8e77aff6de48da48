"""Rules between keys of train."""

import pytest

from tests.defaults import defaults
from vidtok.config_train import TrainConfig


def test_label_smoothing_belongs_to_softmax():
    settings = {"steps": 1, "batch": 1, "lr": 0.1}
    assert TrainConfig(**settings, label_smoothing=0.1).loss == "softmax"
    assert TrainConfig(**settings, loss="sigmoid").label_smoothing == 0.0
    with pytest.raises(ValueError, match=r"label_smoothing 0.1 belongs to loss softmax; set it to 0 for sigmoid"):
        TrainConfig(**settings, loss="sigmoid", label_smoothing=0.1)


TRAIN = {"steps": 10, "batch": 1, "lr": 0.1}


def test_settings_that_do_not_go_together_are_refused():
    for settings, message in (
        ({"over_classes": "sum"}, "over_classes=sum belongs to loss sigmoid"),
        ({"schedule": "step"}, "schedule step needs lr_steps"),
        ({"lr_steps": (3,)}, "schedule step needs lr_steps"),
        ({"schedule": "step", "lr_steps": (5, 3)}, "lr_steps rise, and begin behind the warm-up"),
        ({"schedule": "step", "lr_steps": (3,), "warmup_steps": 4}, "lr_steps rise, and begin behind the warm-up"),
        ({"schedule": "step", "lr_steps": (3,), "min_lr": 0.01}, "min_lr 0.01 belongs to schedule cosine or linear"),
        ({"min_lr": 0.2}, "min_lr 0.2 is above the highest rate, 0.1 for this batch"),
        ({"min_lr": 0.05, "lr_batch": 4}, "min_lr 0.05 is above the highest rate, 0.025 for this batch"),
    ):
        with pytest.raises(ValueError, match=message):
            TrainConfig(**TRAIN, **settings)
    assert TrainConfig(**TRAIN, schedule="step", lr_steps=(3, 5), warmup_steps=2).lr_steps == (3, 5)


def test_what_is_taken_where_nothing_is_said():
    """A default that moves changes everyone's runs: it is meant, or it is a slip."""
    assert {key: value for key, value in defaults(TrainConfig).items() if value is not None} == {
        "accumulate": 1,
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "layer_decay": 1.0,
        "lr_scale": {},
        "freeze": (),
        "schedule": "cosine",
        "lr_steps": (),
        "min_lr": 0.0,
        "warmup_steps": 0,
        "clip_norm": 1.0,
        "loss": "softmax",
        "over_classes": "mean",
        "label_smoothing": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
        "batch_norm": "train",
        "precision": "float32",
        "checkpoint_blocks": False,
        "compile": False,
        "log_every": 20,
        "save_every": 500,
        "keep_checkpoints": 2,
        "parallel": "ddp",
        "sharded_checkpoints": False,
    }
