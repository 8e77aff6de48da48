"""From a config to objects: lists with classes, models that follow from the seed, their normalisation."""

import shutil
from dataclasses import replace

import pytest
import torch

from tests.building import config, described_run
from tests.conftest import ROOT
from tests.data.formats.samples import SAMPLES
from vidtok.build import build_feeding, build_lists, build_model, build_trained, config_of
from vidtok.build_train import normalisation_warning, start_weights
from vidtok.config_io import load_config, to_yaml
from vidtok.errors import CheckpointError, ConfigError, DataError, ModelError
from vidtok.train.state import RunState


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


def test_initial_weights_follow_from_the_seed(motion):
    one, same, other = (build_model(config(motion, f"run.seed={seed}"), "abcdefgh") for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one.classes == tuple("abcdefgh")


def test_the_meta_device_holds_nothing(motion):
    assert all(p.device.type == "meta" for p in build_model(config(motion), "ab", device="meta").parameters())


def test_sizes_that_the_network_cannot_take_are_refused_before_training(motion):
    settings = config(motion, "data.workers=0", "data.sizes=[32, 40]", "model.position=learned")
    with pytest.raises(
        ConfigError, match=r"data\.sizes: ViViT, made for . frames of 32 x 32 pixels, cannot .* 40 x 40"
    ):
        build_model(settings, "abcdefgh", device="meta")


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


@pytest.mark.parametrize(("fit", "crops"), [("crop", 3), ("pad", 1)])
def test_a_model_is_tested_as_it_was_fed(motion, fit, crops):
    keys = ["data.target_fps=10.0", "data.mean=[0.1, 0.2, 0.3]", "train.loss=sigmoid", "train.label_smoothing=0"]
    whole = [f"data.fit={fit}", "data.short_side=null", "eval.crops=1"] if fit == "pad" else []
    settings = config(motion, *keys, *whole, "eval.opposites=[]")
    model = build_model(settings, "abcdefgh")
    model.feeding = replace(model.feeding, video_seconds=2.5)
    made = config_of(model, val="v.csv")
    assert build_feeding(made) == replace(model.feeding, video_seconds=None) == build_feeding(settings)
    assert (made.data.train, made.data.val, made.data.flip) == ("v.csv", "v.csv", False)
    assert (made.data.frames, made.data.size) == (settings.data.frames, settings.data.size)
    assert (made.data.mean, made.data.std) == ((0.1, 0.2, 0.3), settings.data.std)
    assert (made.eval.crops, made.eval.after_train, made.train.loss) == (crops, False, "sigmoid")
    again = build_model(made, "abcdefgh")
    again.load_state_dict(model.state_dict())
    model.feeding = None
    with pytest.raises(ModelError, match="not known of this model: name a config with `cfg`, which says it"):
        config_of(model, val="v.csv")
