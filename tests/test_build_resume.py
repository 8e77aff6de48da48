"""What may change when a run goes on, what makes a new segment of it, and what belongs to another run."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.building import config
from vidtok.build import Lists
from vidtok.build_resume import FREE_KEYS, fingerprints, kept_bad, plan_resumption
from vidtok.config_io import to_yaml
from vidtok.data.records import Records
from vidtok.errors import CheckpointError
from vidtok.train.checkpoint import Checkpoint

PATH = Path("run/checkpoints/step_00000012.pt")


def records(*names, label=0):
    return Records(names, [(label,)] * len(names), root=Path("."), source=Path("list.csv"))


LISTS = Lists(train=records("a", "b", "c"), val=records("d"), classes=("x", "y"))


def checkpoint(settings, **changes):
    saved = {"model": {}, "optimizer": {}, "config": to_yaml(settings), "classes": LISTS.classes, "bad": {}}
    return Checkpoint(**{"step": 5, **saved, "lists": fingerprints(LISTS), **changes})


FREE = [
    "run.dir=elsewhere",
    "run.device=cpu",
    "run.wait_minutes=5.0",
    "data.root=/moved",
    "data.workers=3",
    "data.timeout_seconds=600.0",
    "data.max_bad_fraction=0.5",
    "data.train=moved.csv",
    "data.val=moved_val.csv",
    "data.classes=moved.txt",
    "eval.every=3",
    "eval.patience=3",
    "train.log_every=7",
    "train.save_every=7",
    "train.keep_checkpoints=7",
    "train.parallel=fsdp2",
]


def test_what_changes_no_number_may_change(motion):
    before = config(motion, "eval.every=2")
    now = config(motion, "eval.every=2", *FREE, "train.sharded_checkpoints=true")
    for new_segment in (False, True):
        plan = plan_resumption(now, checkpoint(before), PATH, LISTS, new_segment=new_segment)
        assert not plan.new_segment
        assert plan.moments
        assert not plan.other_val
    keys = {change.split("=")[0] for change in FREE} | {"train.sharded_checkpoints"}
    assert all(any(key.startswith(free) for key in keys) for free in FREE_KEYS)  # each was tried


CHANGES = [
    "train.lr=0.5",
    "train.steps=24",
    "train.batch=5",
    "train.accumulate=2",
    "train.precision=bf16",
    "train.checkpoint_blocks=true",
    "data.backend=torchcodec",
    "data.sizes=[16, 32]",
    "data.flip=true",
    "run.seed=4",
    "run.deterministic=true",
    "train.freeze=[head.*]",
]


@pytest.mark.parametrize("change", CHANGES)
def test_everything_else_is_a_new_segment_and_asked_for(motion, change):
    saved, now = checkpoint(config(motion)), config(motion, change)
    with pytest.raises(CheckpointError, match="started with another configuration") as error:
        plan_resumption(now, saved, PATH, LISTS)
    key = change.split("=")[0]
    assert f"\n  {key}: " in str(error.value)
    assert "--new-segment" in str(error.value)
    plan = plan_resumption(now, saved, PATH, LISTS, new_segment=True)
    assert plan.new_segment
    assert [line.split(":")[0] for line in plan.changes] == [key]
    assert plan.moments
    assert not plan_resumption(now, checkpoint(now), PATH, LISTS, new_segment=True).new_segment


def test_another_optimizer_begins_without_moments(motion):
    plan = plan_resumption(
        config(motion, "train.optimizer=momentum"), checkpoint(config(motion)), PATH, LISTS, new_segment=True
    )
    assert plan.new_segment
    assert not plan.moments


OTHERS = [
    "model.heads=4",
    "data.frames=4",
    "data.size=24",
    "model={name: casvit_xs}",
    "train.init=x",
    "train.head_bias=-1",
]


@pytest.mark.parametrize("change", OTHERS)
def test_the_network_and_its_start_stay_through_all_segments(motion, change):
    now = config(motion, change.replace("=-1", "=-1.0"), "train.lr=0.25")
    for new_segment in (False, True):
        with pytest.raises(CheckpointError, match="another network, start or classes") as error:
            plan_resumption(now, checkpoint(config(motion)), PATH, LISTS, new_segment=new_segment)
        assert f"train.init={PATH}" in str(error.value)
        assert "train.lr: 0.25 | 0.001" in str(error.value)


def test_classes_stay_too(motion):
    for classes in (("x",), ("y", "x"), ("x", "y", "z")):
        with pytest.raises(CheckpointError, match=rf"classes: {len(classes)} in the list \| 2 in the checkpoint"):
            plan_resumption(
                config(motion), checkpoint(config(motion)), PATH, replace(LISTS, classes=classes), new_segment=True
            )


@pytest.mark.parametrize("name", ["train", "val"])
@pytest.mark.parametrize("edit", [("a", "b"), ("b", "a", "c"), ("a", "b", "c", "d"), ("a", "b", "e")])
def test_another_list_is_another_run_or_a_new_segment(motion, name, edit):
    lists = replace(LISTS, **{name: records(*edit)})
    with pytest.raises(CheckpointError, match=rf"what data\.{name} lists: {len(edit)} records, \w+ \| \d records, "):
        plan_resumption(config(motion), checkpoint(config(motion)), PATH, lists)
    plan = plan_resumption(config(motion), checkpoint(config(motion)), PATH, lists, new_segment=True)
    assert plan.new_segment
    assert plan.other_val == (name == "val")


def test_an_edited_label_is_another_list(motion):
    lists = replace(LISTS, train=records("a", "b", "c", label=1))
    with pytest.raises(CheckpointError, match=r"what data\.train lists"):
        plan_resumption(config(motion), checkpoint(config(motion)), PATH, lists)


def test_older_checkpoints_tell_the_lists_by_their_files(motion):
    saved = checkpoint(config(motion), lists={})
    assert not plan_resumption(config(motion), saved, PATH, LISTS).new_segment
    with pytest.raises(CheckpointError, match=r"data\.train: other\.csv"):
        plan_resumption(config(motion, "data.train=other.csv"), saved, PATH, LISTS)


@pytest.mark.parametrize("steps", [6, 12])
def test_a_segment_ends_behind_its_beginning(motion, steps):
    settings = config(motion, f"train.steps={steps}", "train.lr=0.25")
    with pytest.raises(
        CheckpointError, match=rf"goes on behind step 12, and the run is to have {steps} steps: nothing"
    ):
        plan_resumption(settings, checkpoint(config(motion), step=12), PATH, LISTS, new_segment=True)


def test_bad_records_are_those_of_the_list():
    assert kept_bad({"a": "cut off", "gone": "cut off"}, LISTS) == {"a": "cut off"}
    assert kept_bad({}, LISTS) == {}
