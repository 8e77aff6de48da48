"""From a config to objects: lists with classes, models that follow from the seed, initial weights."""

import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import ROOT, small_run
from tests.data.formats.samples import SAMPLES
from vidtok.build import (
    build_augment,
    build_crop,
    build_eval_batches,
    build_lists,
    build_model,
    build_train_batches,
    build_train_plan,
    build_trained,
    config_words,
    eval_views,
    load_model,
    run_steps,
    told_in_config_words,
)
from vidtok.build_train import (
    build_mixing,
    init_weights,
    normalisation_warning,
    start_weights,
)
from vidtok.cli.convert import run as convert
from vidtok.config_io import load_config, to_yaml
from vidtok.data import buffers
from vidtok.data.augment import Augment
from vidtok.data.mixing import Mixing
from vidtok.data.rand_augment import RandAugment
from vidtok.data.records import Records
from vidtok.data.views import JitteredCrop, ResizedCrop
from vidtok.errors import CheckpointError, ConfigError, DataError, ModelError, NotFiniteError, TrainingError
from vidtok.infer.predict import model_views
from vidtok.models.classifier import Classifier
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.runs.test import open_checkpoint
from vidtok.train.checkpoint import Checkpoint, save_checkpoint
from vidtok.train.parallel import Parallel
from vidtok.train.state import RunState

ALONE = Parallel(device=torch.device("cpu"))


def config(motion, *overrides):
    _, cfg, *settings = small_run(motion, Path("unused"))
    return load_config(ROOT / cfg, [*settings, *overrides])


def test_lists_and_classes(motion):
    lists = build_lists(config(motion))
    assert (len(lists.train), len(lists.val), len(lists.classes)) == (24, 17, 8)


def test_a_list_needs_a_class_file(motion):
    with pytest.raises(ConfigError, match=r"data.classes: .*train.csv writes labels as numbers"):
        build_lists(config(motion, "data.classes=null"))


def test_folders_name_their_classes(motion, tmp_path):
    for split in ("train", "val"):
        for name in ("down", "up"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "a.mp4").symlink_to(motion / "val" / "00000.mp4")
    settings = [f"data.train={tmp_path / 'train'}", f"data.val={tmp_path / 'val'}", "data.classes=null"]
    assert build_lists(config(motion, *settings)).classes == ("down", "up")
    (tmp_path / "val" / "sideways").mkdir()
    with pytest.raises(DataError, match="'sideways' is none of the 2 classes"):
        build_lists(config(motion, *settings))


@pytest.mark.parametrize(
    ("name", "sample"),
    [("charades", "Charades, videos"), ("avid", "AViD"), ("ssv2", "Something-Something v2")],
)
def test_official_lists_are_read_as_they_come(tmp_path, name, sample):
    """The config's own keys, and the lists and videos of the data set where they would lie, in small."""
    cfg = ROOT / "configs" / f"{name}_vivit_tl8.yaml"
    data = load_config(cfg).data
    source, root = SAMPLES[sample].write(tmp_path / "in")
    (tmp_path / data.train).parent.mkdir(parents=True)
    for wanted in (data.train, data.val):
        shutil.copy(source, tmp_path / wanted)
    for beside in source.parent.glob("*labels*"):
        shutil.copy(beside, (tmp_path / data.train).parent)
    shutil.copytree(root, tmp_path / str(data.root))
    overrides = [f"data.{key}={tmp_path / getattr(data, key)}" for key in ("train", "val", "root")]
    lists = build_lists(load_config(cfg, [*overrides, "data.classes=null"]))
    assert lists.train.form == lists.val.form == SAMPLES[sample].form
    assert [record.labels for record in lists.val] == [record.labels for record in SAMPLES[sample].records(root)]
    assert lists.classes == SAMPLES[sample].classes


def test_the_form_of_lists_can_be_forced(motion, tmp_path):
    for split in ("train", "val"):
        (tmp_path / f"{split}.csv").write_text(f"{motion}/val/00000.mp4,6,3\n{motion}/val/00001.mp4,7,1\n")
    settings = [f"data.{split}={tmp_path / split}.csv" for split in ("train", "val")]
    with pytest.raises(DataError, match=r"train.csv: may be of several forms; say which one with data.format"):
        build_lists(config(motion, *settings))
    lists = build_lists(config(motion, *settings, "data.format=pyslowfast"))
    assert [record.labels for record in lists.val] == [(3,), (1,)]


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


def test_initial_weights_follow_from_the_seed(motion):
    one, same, other = (build_model(config(motion, f"run.seed={seed}"), "abcdefgh") for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one.classes == tuple("abcdefgh")


def test_the_meta_device_holds_nothing(motion):
    assert all(p.device.type == "meta" for p in build_model(config(motion), "ab", device="meta").parameters())


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


def test_sizes_that_the_network_cannot_take_are_refused_before_training(motion):
    settings = config(motion, "data.workers=0", "data.sizes=[32, 40]", "model.position=learned")
    with pytest.raises(
        ConfigError, match=r"data\.sizes: ViViT, made for . frames of 32 x 32 pixels, cannot .* 40 x 40"
    ):
        build_model(settings, "abcdefgh", device="meta")


def test_twelve_views_of_motion_are_twelve_different_ones(motion):
    settings = config(motion, "data.size=64", "data.short_side=80", "data.workers=0", "eval.batch=17")
    (batch,) = build_eval_batches(settings, build_lists(settings).val, ALONE, eval_views(settings))
    for views in batch.views:
        for i in range(12):
            for j in range(i):
                assert not torch.equal(views[i], views[j])


def saved_run(settings, folder):
    """A run's folder with one checkpoint; the model that it holds."""
    model = build_model(settings, "abcdefgh")
    state = Checkpoint(
        step=5, model=model.state_dict(), optimizer={}, config=to_yaml(settings), classes=tuple("abcdefgh"), bad={}
    )
    save_checkpoint(state, folder / "checkpoints")
    return model


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_trained_model_is_loaded_from_its_run_and_from_where_it_was_saved(motion, tmp_path):
    model = saved_run(config(motion), tmp_path / "run")
    for path in (tmp_path / "run", tmp_path / "run" / "checkpoints" / "step_00000005.pt"):
        loaded = load_model(path)
        assert same_weights(model, loaded)
        assert (loaded.classes, loaded.training) == (tuple("abcdefgh"), False)
    loaded.save_pretrained(tmp_path / "saved")
    assert same_weights(model, load_model(tmp_path / "saved"))
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        load_model(tmp_path / "none")


def described_run(settings, folder, **more):
    """The same, with a checkpoint that describes its model as training writes it."""
    model = build_model(settings, "abcdefgh")
    state = RunState(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    save_checkpoint(
        replace(state.checkpoint(config=to_yaml(settings), classes=tuple("abcdefgh")), step=5, **more),
        folder / "checkpoints",
    )
    return model


def test_every_way_to_load_gives_the_model_and_how_it_was_fed(motion, tmp_path):
    settings = config(motion, "data.std=[0.25, 0.5, 0.75]", "data.target_fps=10.0", "train.loss=sigmoid")
    model = described_run(settings, tmp_path / "run")
    model.save_pretrained(tmp_path / "saved")
    data = settings.data
    feeding = Feeding(
        stride=data.stride, target_fps=10.0, short_side=data.short_side, short=data.short, scores="sigmoid"
    )
    ways = ("run", "run/checkpoints", "run/checkpoints/step_00000005.pt", "saved", "saved/model.safetensors")

    def generators():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    for way in ways:
        states = generators()
        loaded = load_model(tmp_path / way)
        assert generators() == states, way  # checks of types draw from Python's own, so it is looked at first
        assert same_weights(model, loaded), way
        assert (loaded.training, loaded.feeding, loaded.normalisation) == (False, feeding, model.normalisation), way
        assert loaded.architecture == model.architecture
        states = generators()
        other = load_model(tmp_path / way, classes=["jump", "run"])
        assert generators() == states, way
        assert (other.classes, other.training, other.feeding) == (("jump", "run"), False, feeding)
        assert not other.network.head.logits.weight.any()
        assert torch.equal(other.network.tokenizer.projection.weight, model.network.tokenizer.projection.weight)
        assert load_model(tmp_path / way, classes=8).classes == tuple("abcdefgh")


def test_loading_says_what_it_cannot_load(motion, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "strange.safetensors")
    with pytest.raises(CheckpointError, match=r"strange.safetensors: weights that do not say which model"):
        load_model(tmp_path / "strange.safetensors")
    described_run(config(motion), tmp_path / "run")
    with pytest.raises(CheckpointError, match="revision='v1' is of a model on the hub"):
        load_model(tmp_path / "run", revision="v1")
    with pytest.raises(ModelError, match="at least one, got 0"):
        load_model(tmp_path / "run", classes=0)


def test_a_model_comes_from_the_hub_by_its_id(motion, tmp_path, monkeypatch):
    model = described_run(config(motion), tmp_path / "run")
    asked = []

    def from_pretrained(source, *, revision=None):
        asked.append((source, revision))
        return model

    monkeypatch.setattr(Classifier, "from_pretrained", from_pretrained)
    monkeypatch.chdir(tmp_path)
    assert load_model("someone/model", revision="v1") is model
    assert load_model("some-one/model.v2") is model
    assert asked == [("someone/model", "v1"), ("some-one/model.v2", None)]
    for path in ("checkpoints/none.pt", "none", "a/b/c", "none/weights.safetensors", str(tmp_path / "none")):
        with pytest.raises(CheckpointError, match="no such checkpoint file"):
            load_model(path)
    assert len(asked) == 2


def test_a_checkpoint_runs_no_code(motion, tmp_path, monkeypatch):
    (tmp_path / "evil_plugin.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = config(motion)
    told = to_yaml(settings).replace("plugins: []", "plugins: [evil_plugin]")
    assert "evil_plugin" in told
    described_run(settings, tmp_path / "new", config=told)
    described_run(settings, tmp_path / "old", config=told, description={})
    checkpoint, described = (tmp_path / name / "checkpoints" / "step_00000005.pt" for name in ("old", "new"))
    load_model(tmp_path / "new")
    init_weights(build_model(settings, "abcdefgh"), str(tmp_path / "old"))
    create_model("vivit", weights=described)
    assert convert([str(described), "--to", "x.safetensors", "--model", "vivit"]) == 0
    for opened in (lambda: load_model(tmp_path / "old"), lambda: open_checkpoint(str(checkpoint), None, [])):
        with pytest.raises(ConfigError, match="it names the plugin 'evil_plugin'"):
            opened()
    assert not (tmp_path / "ran").exists()
    assert open_checkpoint(str(checkpoint), None, ["plugins=[]"])[1].plugins == ()
    assert not (tmp_path / "ran").exists()
    load_model(tmp_path / "old", allow_plugins=True)
    assert (tmp_path / "ran").exists()
    sys.modules.pop("evil_plugin")


def test_a_model_that_knows_how_it_was_fed_needs_no_config(motion):
    settings = config(motion, "data.target_fps=10.0", "eval.clips=2", "eval.crops=3")
    model = build_model(settings, "ab", device="meta")
    assert model_views(model, clips=2, crops=3) == eval_views(settings)
    assert model_views(model) == eval_views(settings, single=True)
    model.feeding = None
    with pytest.raises(ModelError, match="how clips are taken from videos is not known of this model"):
        model_views(model)


def test_normalisation_follows_the_weights(motion, tmp_path):
    colours = ["data.mean=[0.1, 0.2, 0.3]", "data.std=[0.25, 0.25, 0.5]"]
    described_run(config(motion, *colours), tmp_path / "run")
    init = f"train.init={tmp_path / 'run'}"
    with pytest.raises(ConfigError, match=r"data.mean weights needs train.init"):
        config(motion, "data.mean=weights", "data.std=weights")
    with pytest.raises(ConfigError, match="weights is for both of them, or for none"):
        config(motion, init, "data.mean=weights")
    follows = config(motion, init, "data.mean=weights", "data.std=weights")
    model = build_model(follows, "abcdefgh")
    clip = torch.zeros(1, 8, 3, 32, 32, dtype=torch.uint8)
    assert model(clip[:, : model.architecture.frames]).isnan().all()  # nothing is known yet
    report = start_weights(follows, model, str(tmp_path / "run"))
    assert model.normalisation == ((0.1, 0.2, 0.3), (0.25, 0.25, 0.5))
    assert model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert normalisation_warning(follows, report) is None
    # What was followed is in the checkpoint, and comes back from there.
    state = RunState(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    saved = state.checkpoint(config=to_yaml(follows), classes=tuple("abcdefgh"))
    assert build_trained(follows, saved, source="x").normalisation == model.normalisation
    with pytest.raises(CheckpointError, match="x: it does not say how pixels were normalised"):
        build_trained(follows, replace(saved, description={}), source="x")
    fixed = config(motion, init)
    report = start_weights(fixed, build_model(fixed, "abcdefgh"), str(tmp_path / "run"))
    warning = normalisation_warning(fixed, report)
    assert warning is not None
    assert "normalised by mean [0.1, 0.2, 0.3] and std [0.25, 0.25, 0.5], the model normalises by mean [0.5," in warning
    assert "Set data.mean=weights and data.std=weights" in warning


def test_a_model_may_be_a_published_one_with_changes(motion):
    settings = load_config(
        ROOT / "configs/motion_vivit_tl8.yaml", ["model={name: vivit_b16x2_fsa, depth: 2, tubelet: [2, 8, 8]}"]
    )
    model = build_model(settings, "ab", device="meta")
    assert [mixer.axes for mixer in model.network.blocks[0].mixers] == ["space", "time"]
    assert (len(model.network.blocks), model.network.tokenizer.projection.out_channels) == (2, 768)
    assert model.architecture.options["depth"] == 2
    with pytest.raises(ConfigError, match=r"model.dpeth: unknown key; did you mean 'depth'"):
        load_config(ROOT / "configs/motion_vivit_tl8.yaml", ["model={name: vivit_b16x2_fsa, dpeth: 2}"])


def test_a_run_with_averages_is_used_by_its_averages(motion, tmp_path):
    settings = config(motion, "train.ema_decay=0.9")
    model = build_model(settings, "abcdefgh")
    averages = {name: value + 1 for name, value in model.state_dict().items()}
    state = Checkpoint(
        step=5,
        model=model.state_dict(),
        optimizer={},
        config=to_yaml(settings),
        classes=tuple("abcdefgh"),
        bad={},
        ema=averages,
    )
    save_checkpoint(state, tmp_path / "run" / "checkpoints")
    other = build_model(config(motion, "run.seed=9"), "abcdefgh")
    init_weights(other, str(tmp_path / "run"))
    for found in (load_model(tmp_path / "run"), other):
        assert all(torch.equal(value, averages[name]) for name, value in found.state_dict().items())


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


def test_messages_from_below_name_the_keys_of_the_configuration():
    text = "raise `timeout_seconds`, lower `batch` or `max_views`, `loss`=sigmoid; another `folder`, not `x y` or `zzz`"
    assert config_words(text) == (
        "raise data.timeout_seconds, lower train.batch or eval.max_views, train.loss=sigmoid; another run.dir, "
        "not `x y` or zzz"
    )
    with pytest.raises(TrainingError, match=r"lower train\.lr$") as error, told_in_config_words():
        raise NotFiniteError("lower `lr`")
    assert type(error.value) is NotFiniteError
    with pytest.raises(ValueError, match="`lr`"), told_in_config_words():
        raise ValueError("`lr`")


def test_fewer_workers_are_told_in_the_configurations_words(motion, monkeypatch):
    monkeypatch.setattr(buffers, "shared_room", lambda: 1000)
    settings, told = config(motion, "data.workers=2", "train.steps=4"), []
    lists = build_lists(settings)
    batches = build_train_batches(settings, lists.train, ALONE, first_step=3, warn=told.append)
    (text,) = told
    assert "2 workers need" in text
    assert "data.workers=0 none. Videos are decoded in the training process itself" in text
    assert len(next(iter(batches))) > 0
