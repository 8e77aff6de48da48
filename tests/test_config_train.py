"""Rules between keys of train."""

import pytest

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
