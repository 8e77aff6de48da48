"""Rules between keys; what a file looks like is tested beside the reader."""

import pytest

from vidtok.config import TrainConfig


def test_label_smoothing_belongs_to_softmax():
    settings = {"steps": 1, "batch": 1, "lr": 0.1}
    assert TrainConfig(**settings, label_smoothing=0.1).loss == "softmax"
    assert TrainConfig(**settings, loss="sigmoid").label_smoothing == 0.0
    with pytest.raises(ValueError, match=r"label_smoothing 0.1 belongs to loss softmax; set it to 0 for sigmoid"):
        TrainConfig(**settings, loss="sigmoid", label_smoothing=0.1)
