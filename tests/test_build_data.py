"""From a config to views and batches: every key arrives."""

from pathlib import Path

import pytest
import torch

from tests.building import ALONE, config
from vidtok.build import build_lists, build_model
from vidtok.build_data import (
    build_augment,
    build_crop,
    build_eval_batches,
    build_input_remedy,
    build_train_batches,
    build_train_plan,
    cores_per_process,
    eval_views,
    loader_workers,
    run_steps,
    unspoilt_train_views,
)
from vidtok.build_train import build_mixing
from vidtok.data import buffers
from vidtok.data.augment import Augment
from vidtok.data.mixing import Mixing
from vidtok.data.rand_augment import RandAugment
from vidtok.data.records import Records
from vidtok.data.views import JitteredCrop, ResizedCrop
from vidtok.errors import ConfigError, ModelError
from vidtok.infer.predict import model_views


def test_augmentation_and_mixing_are_off_until_they_are_set(motion):
    settings = config(motion, "data.scale=null", "data.ratio=null")
    assert build_augment(settings.data) == Augment()
    assert build_mixing(settings) is None
    assert build_crop(settings.data) == ResizedCrop(scale=(0.25, 1.0), ratio=(0.75, 1.3333))


def test_every_key_of_augmentation_and_mixing_arrives(motion):
    keys = "color_jitter_prob: 0.8, grey_prob: 0.1, erase_prob: 0.25, "
    rand = "rand_augment: {layers: 3, magnitude: 15, magnitude_std: 0.5, prob: 0.7, geometric: false}"
    settings = config(
        motion,
        f"data.augment={{{keys}{rand}}}",
        "data.scale=null",
        "data.ratio=null",
        "data.scale_jitter=[32, 40]",
        "data.scale_jitter_independent=true",
        "train.mixup_alpha=0.8",
    )
    rand_augment = RandAugment(layers=3, magnitude=15.0, magnitude_std=0.5, prob=0.7, geometric=False)
    assert build_augment(settings.data) == Augment(
        color_jitter_prob=0.8, grey_prob=0.1, erase_prob=0.25, rand_augment=rand_augment
    )
    assert build_crop(settings.data) == JitteredCrop(short_side=(32.0, 40.0), independent=True)
    assert build_mixing(settings) == Mixing(mixup_alpha=0.8)
    assert build_mixing(config(motion, "train.cutmix_alpha=1.0")) == Mixing(cutmix_alpha=1.0)
    assert build_augment(config(motion, "data.augment.auto_augment=true").data) == Augment(auto_augment=True)


def test_augmented_batches_are_other_batches_made_again(motion):
    def first(*overrides):
        settings = config(motion, "data.workers=0", *overrides)
        return next(iter(build_train_batches(settings, build_lists(settings).train, ALONE, first_step=3)))

    plain, erased, again = first(), first("data.augment.erase_prob=1.0"), first("data.augment.erase_prob=1.0")
    assert torch.equal(erased.views, again.views)
    assert erased.labels == plain.labels
    same = (plain.views == erased.views).double().mean((1, 2, 3, 4, 5))
    assert ((same > 0.6) & (same < 0.999)).all()  # a box of each clip, and the same crop around it
    jittered = first("data.scale=null", "data.ratio=null", "data.scale_jitter=[32, 40]")
    assert not torch.equal(jittered.views, plain.views)


def test_a_batch_goes_through_the_model(motion):
    settings = config(motion, "data.workers=0")
    lists = build_lists(settings)
    batch = next(iter(build_train_batches(settings, lists.train, ALONE, first_step=3)))
    assert batch.views.shape == (4, 1, 8, 3, 32, 32)
    assert build_model(settings, lists.classes)(batch.views[:, 0]).shape == (4, 8)
    views = eval_views(settings)
    tested = next(iter(build_eval_batches(settings, lists.val, ALONE, views)))
    assert tested.views.shape == (8, 12, 8, 3, 32, 32)
    assert eval_views(settings, single=True).count == 1


def test_repeats_sizes_and_the_rest_reach_the_loader(motion):
    keys = ["data.repeats=2", "data.sizes=[16, 32, 48]", "data.crop_in=yuv", "data.augment.grey_prob=1.0"]
    network = "model={name: casvit, widths: [8, 8, 8, 8], depths: [1, 1, 1, 1]}"
    settings = config(motion, "data.workers=0", "train.steps=8", "data.sampling=scenic", network, *keys)
    batches = list(build_train_batches(settings, build_lists(settings).train, ALONE, first_step=0))
    shapes = {(len(batch), batch.views.shape[-1]) for batch in batches}
    assert shapes == {(16, 16), (4, 32), (2, 48)}
    for batch in batches:
        assert batch.indices[::2] == batch.indices[1::2]
        assert torch.equal(batch.views[:, :, :, 0], batch.views[:, :, :, 2])  # grey
    assert eval_views(settings).clip.sampling == "scenic"


def test_twelve_views_of_motion_are_twelve_different_ones(motion):
    settings = config(motion, "data.size=64", "data.short_side=80", "data.workers=0", "eval.batch=17")
    (batch,) = build_eval_batches(settings, build_lists(settings).val, ALONE, eval_views(settings))
    for views in batch.views:
        for i in range(12):
            for j in range(i):
                assert not torch.equal(views[i], views[j])


def test_a_model_that_knows_how_it_was_fed_needs_no_config(motion):
    settings = config(motion, "data.target_fps=10.0", "eval.clips=2", "eval.crops=3")
    model = build_model(settings, "ab", device="meta")
    assert model_views(model, clips=2, crops=3) == eval_views(settings)
    assert model_views(model) == eval_views(settings, single=True)
    model.feeding = None
    with pytest.raises(ModelError, match="how clips are taken from videos is not known of this model"):
        model_views(model)


def test_the_time_limit_reaches_the_datasets(motion):
    settings = config(motion, "data.timeout_seconds=77", "data.workers=0")
    lists = build_lists(settings)
    train = build_train_batches(settings, lists.train, ALONE, first_step=0)
    val = build_eval_batches(settings, lists.val, ALONE, eval_views(settings))
    assert [batches.dataset.timeout_seconds for batches in (train, val)] == [77.0, 77.0]


def test_epochs_are_counted_in_the_lists_records(motion):
    assert run_steps(config(motion), 24) == config(motion).train.steps
    for epochs, steps in ((1, 6), (2.5, 15), (0.1, 1)):
        assert run_steps(config(motion, "train.steps=null", f"train.epochs={epochs}", "train.batch=4"), 24) == steps
    repeated = config(motion, "train.steps=null", "train.epochs=2", "train.batch=4", "data.repeats=2")
    assert run_steps(repeated, 24) == 24


def test_balanced_training_needs_one_label_for_each_video(motion, tmp_path):
    settings = config(motion, "data.balanced=true", "train.batch=4")
    records = Records(["a", "b", "c", "d"], [(0,), (0,), (0,), (5,)], root=Path("."), source=Path("list.csv"))
    keys = [key for batch in build_train_plan(settings, records, ALONE, first_step=0) for key in batch]
    assert [sum(key[0] == 3 for key in keys[i : i + 4]) for i in range(0, 40, 4)] == [2] * 10
    several = Records(["a", "b"], [(0,), (0, 1)], root=Path("."), source=Path("list.csv"))
    with pytest.raises(ConfigError, match=r"data\.balanced: list\.csv does not give each video one label"):
        build_train_plan(settings, several, ALONE, first_step=0)


def test_fewer_workers_are_told_in_the_configurations_words(motion, monkeypatch):
    monkeypatch.setattr(buffers, "shared_room", lambda: 1000)
    settings, told = config(motion, "data.workers=2", "train.steps=4"), []
    lists = build_lists(settings)
    batches = build_train_batches(settings, lists.train, ALONE, first_step=3, warn=told.append)
    (text,) = told
    assert "2 workers need" in text
    assert "data.workers=0 none. Videos are decoded in the training process itself" in text
    assert len(next(iter(batches))) > 0


@pytest.mark.parametrize(
    ("cores", "processes", "workers", "own"), [(20, None, 8, 20), (20, "4", 5, 5), (2, "4", 1, 1), (7, "1", 7, 7)]
)
def test_workers_are_as_many_as_a_process_has_cores_and_eight_at_most(monkeypatch, cores, processes, workers, own):
    monkeypatch.setattr("vidtok.build_data.usable_cores", lambda: cores)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if processes is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert (loader_workers(None), cores_per_process()) == (workers, own)
    assert [loader_workers(wanted) for wanted in (0, 3, 30)] == [0, 3, 30]


def test_what_a_run_that_waits_can_do_is_what_its_settings_leave(motion, monkeypatch):
    monkeypatch.setattr("vidtok.build_data.usable_cores", lambda: 4)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert build_input_remedy(config(motion, "data.workers=1", "train.batch=4")) == (
        "raise data.workers (now 1, of 4 cores), or prepare the videos with tools/prepare_videos.py, or set "
        "data.crop_in=yuv, or set data.repeats=2"
    )
    least = build_input_remedy(config(motion, "data.workers=4", "data.crop_in=yuv", "train.batch=3"))
    assert least == "prepare the videos with tools/prepare_videos.py, or take a machine with more cores than 4"
    pictures = build_input_remedy(config(motion, "data.workers=4", "data.backend=frames", "train.batch=3"))
    assert pictures == "take a machine with more cores than 4"


def test_a_single_view_has_no_control_and_unspoilt_training_no_augmentation(motion):
    settings = config(motion, "eval.control=reverse", "eval.clips=2", "data.augment.grey_prob=1.0", "data.flip=true")
    assert eval_views(settings).control == "reverse"
    single = eval_views(settings, single=True)
    assert (single.control, single.clips, single.crops) == ("none", 1, 1)
    seen = unspoilt_train_views(settings)
    assert (seen.flip, seen.augment, seen.repeats) == (False, None, 2)
