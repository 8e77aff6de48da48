"""Where a sample's time goes: slowed parts are found where they are."""

import time

import pytest
import torch

from tests.conftest import small_run
from vidtok.build import build_lists
from vidtok.build_data import build_train_batches
from vidtok.config_io import load_config
from vidtok.data import augment
from vidtok.runs.profile_sample import time_samples
from vidtok.train.parallel import Parallel


@pytest.fixture
def batches(motion, tmp_path):
    def make(*changes):
        arguments = small_run(motion, tmp_path)
        config = load_config(arguments[1], [*arguments[2:], "data.workers=0", *changes])
        return build_train_batches(
            config, build_lists(config).train, Parallel(device=torch.device("cpu")), first_step=0
        )

    return make


def test_the_parts_are_the_whole(batches):
    start = time.perf_counter()
    times = time_samples(batches())
    seconds = time.perf_counter() - start
    assert times is not None
    assert list(times.parts) == ["open", "decode", "to RGB", "crop", "augment", "collate", "rest"]
    assert all(part > 0 for part in times.parts.values())
    assert times.clips == 11 * 4  # of 12 batches the first is not counted
    assert 0.3 * seconds < times.seconds * times.clips < seconds
    assert times.parts["open"] + times.parts["decode"] > times.parts["collate"]


def test_a_slow_part_is_found(batches, monkeypatch):
    def slow(pixels, rng):
        time.sleep(0.1)  # more than anything else takes on a busy machine
        return pixels

    monkeypatch.setattr(augment, "color_jitter", slow)
    times = time_samples(batches("data.augment.color_jitter_prob=1.0"), most_seconds=1.0)
    assert times is not None
    assert max(times.parts, key=times.parts.__getitem__) == "augment"
    assert times.parts["augment"] > 0.1
    assert times.clips < 11 * 4  # it ends when the time is over


def test_crops_of_the_decoder_are_a_part_of_their_own(batches):
    times = time_samples(batches("data.crop_in=yuv"), most_seconds=0.1)
    assert times is not None
    assert times.parts["crop in YUV, to RGB"] > 0
    assert not {"crop", "to RGB"} & times.parts.keys()


def test_without_batches_there_is_nothing_to_tell():
    assert time_samples([]) is None
