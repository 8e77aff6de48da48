"""Lines that say where to look, and silence where all is well."""

import pytest
import torch

from tests.conftest import ROOT
from vidtok.build_train import highest_rate
from vidtok.config_io import load_config
from vidtok.train.checks import (
    InputWatch,
    empty_classes_warning,
    geometry_warning,
    high_loss_warning,
    input_remedy,
    majority_warning,
    rate_warning,
    warmup_warning,
)
from vidtok.train.optim import make_schedule


@pytest.mark.parametrize(
    ("optimizer", "lr", "side"),
    [
        ("adamw", 0.1, "above"),
        ("adamw", 1e-8, "below"),
        ("momentum", 1e-5, "below"),
        ("sgd", 50.0, "above"),
    ],
)
def test_a_rate_of_the_wrong_order_is_told(optimizer, lr, side):
    warning = rate_warning(optimizer, lr)
    assert warning is not None
    assert f"far {side} what {optimizer} is used with" in warning
    assert "`lr`" in warning


@pytest.mark.parametrize(
    ("optimizer", "lr"),
    [
        *(("adamw", lr) for lr in (1e-7, 1e-3, 6e-3, 2.5e-2)),
        *(("sgd", lr) for lr in (1e-4, 1.6, 6.4)),
        ("momentum", 0.1),
        ("lion", 1e-8),
    ],
)
def test_a_usual_rate_is_not(optimizer, lr):
    assert rate_warning(optimizer, lr) is None


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_rates_of_shipped_configs_are_usual(path):
    config = load_config(path)
    assert rate_warning(config.train.optimizer, highest_rate(config)) is None


def test_classes_without_videos_are_named():
    classes = ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert empty_classes_warning(set(range(8)), classes, name="list.csv") is None
    warning = empty_classes_warning({0}, classes, name="list.csv")
    assert warning is not None
    assert "7 of 8 classes have no video in list.csv and cannot be learned: b, c, d, e, f …;" in warning


def test_a_loss_far_above_chance_is_told():
    assert high_loss_warning(2.2, chance=2.08, step=20) is None
    warning = high_loss_warning(20.8, chance=2.08, step=20)
    assert warning is not None
    assert "20.8 at step 20, 10 times" in warning
    assert "`lr`" in warning


def test_a_figure_near_the_largest_class_s_is_told():
    assert majority_warning(0.9, largest=0.25, n=20) is None
    assert majority_warning(0.37, largest=0.25, n=64) is None  # two standard errors are 0.108
    for top1 in (0.1, 0.25, 0.31, 0.35):
        warning = majority_warning(top1, largest=0.25, n=64)
        assert warning is not None
        assert f"top1 {top1:.3f} of 64 videos is no better than naming the largest class each time (0.250)" in warning
        assert "explain" in warning
    assert majority_warning(1.0, largest=1.0, n=5) is None


def test_a_gap_between_the_geometries_of_training_and_testing_is_told():
    warning = geometry_warning("top1", tested=0.45, trained=0.92, n=32)
    assert warning is not None
    assert "32 training videos have top1 0.450 by the testing views, and 0.920 by the crops of training" in warning
    assert "`fit`=squeeze or pad" in warning
    assert geometry_warning("top1", tested=0.90, trained=1.0, n=32) is None
    assert geometry_warning("top1", tested=0.95, trained=0.60, n=32) is None
    assert geometry_warning("top1", tested=0.5, trained=0.75, n=8) is None  # two videos
    assert geometry_warning("top1", tested=0.5, trained=0.875, n=8) is not None


def test_the_remedy_names_what_is_left_to_do():
    plenty = input_remedy(workers=1, cores=4, can_prepare=True, can_crop_in_yuv=True, can_repeat=True)
    assert plenty == (
        "raise `workers` (now 1, of 4 cores), or prepare the videos with tools/prepare_videos.py, or set "
        "`crop_in`=yuv, or set `repeats`=2"
    )
    nothing = input_remedy(workers=4, cores=4, can_prepare=False, can_crop_in_yuv=False, can_repeat=False)
    assert nothing == "take a machine with more cores than 4"


def test_waiting_is_told_once_and_not_of_the_first_lines():
    watch = InputWatch(remedy="do this")
    assert watch(steps=20, seconds=10.0, waited=9.0) is None
    assert watch(steps=20, seconds=10.0, waited=2.9) is None
    assert watch(steps=20, seconds=10.0, waited=3.2) == "input bound: 32% of the time waits for data; do this"
    assert watch(steps=20, seconds=10.0, waited=9.0) is None


def test_short_intervals_are_judged_together():
    watch = InputWatch(remedy="do this")
    told = [watch(steps=3, seconds=1.0, waited=waited) for waited in (1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0)]
    assert told == [None] * 8 + ["input bound: 38% of the time waits for data; do this"]


@pytest.mark.parametrize("steps", [1, 2, 7, 10])
def test_a_warm_up_as_long_as_the_run_is_told_with_the_rate_that_it_reaches(steps):
    assert warmup_warning(steps - 1, steps=steps, lr=0.5) is None
    for warmup in (steps, 3 * steps):
        text = warmup_warning(warmup, steps=steps, lr=0.5)
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        make_schedule(optimizer, lr=0.5, steps=steps, warmup_steps=warmup).step_update(steps - 1)
        assert f"(`warmup_steps`={warmup}) is not over when the run ends, behind step {steps}" in text
        assert f"rises to {optimizer.param_groups[0]['lr']:.3g}, not to 0.5" in text


@pytest.mark.parametrize(
    ("optimizer", "lowest", "highest"), [("adamw", 5e-6 / 50, 6.25e-3 * 4), ("sgd", 5e-3 / 50, 1.6 * 4)]
)
def test_rates_are_let_pass_up_to_a_factor(optimizer, lowest, highest):
    """Of the published ones: a fiftieth of the lowest, four times the highest."""
    for rate in (lowest * 1.0001, highest * 0.9999):
        assert rate_warning(optimizer, rate) is None
    for rate, usual in ((lowest * 0.99, "below"), (highest * 1.01, "above")):
        assert usual in rate_warning(optimizer, rate)
    published = "5e-6 to 6e-3" if optimizer == "adamw" else "5e-3 to 1.6"
    assert f"({published})" in rate_warning(optimizer, 100.0)


def test_where_lines_begin():
    assert high_loss_warning(6.0, chance=2.0, step=1) is None
    assert high_loss_warning(6.01, chance=2.0, step=1) is not None
    assert geometry_warning("top1", tested=0.5, trained=0.64, n=100) is None
    assert geometry_warning("top1", tested=0.5, trained=0.66, n=100) is not None
    classes = list("abcdefg")
    assert "b, c, d, e, f;" in empty_classes_warning({0, 6}, classes, name="x")
    assert majority_warning(0.5, largest=0.5, n=1) is not None
    assert majority_warning(0.1, largest=0.0, n=5) is None


def test_ten_steps_are_enough_to_judge_the_waiting():
    for steps, waited, told in ((9, 5.0, False), (10, 5.0, True), (10, 3.0, False), (10, 3.01, True)):
        watch = InputWatch(remedy="")
        watch(steps=1, seconds=1.0, waited=1.0)
        assert (watch(steps=steps, seconds=10.0, waited=waited) is not None) == told
