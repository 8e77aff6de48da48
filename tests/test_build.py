"""From a config to objects: lists with classes, models that follow from the seed, initial weights."""

from pathlib import Path

import pytest
import timm
import torch

from tests.conftest import ROOT, small_run
from vidtok.build import (
    build_eval_batches,
    build_lists,
    build_model,
    build_train_batches,
    eval_views,
    init_weights,
    load_model,
)
from vidtok.config_io import load_config, to_yaml
from vidtok.errors import CheckpointError, ConfigError, DataError
from vidtok.train.checkpoint import Checkpoint, save_checkpoint
from vidtok.train.parallel import Parallel

ALONE = Parallel(device=torch.device("cpu"))


def config(motion, *overrides):
    _, cfg, *settings = small_run(motion, Path("unused"))
    return load_config(ROOT / cfg, [*settings, *overrides])


def test_lists_and_classes(motion):
    lists = build_lists(config(motion))
    assert (len(lists.train), len(lists.val), len(lists.classes)) == (24, 17, 8)


def test_a_list_needs_a_class_file(motion):
    with pytest.raises(ConfigError, match=r"data.classes: a list file needs it"):
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


def test_twelve_views_of_motion_are_twelve_different_ones(motion):
    settings = config(motion, "data.size=64", "data.short_side=80", "data.workers=0", "eval.batch=17")
    (batch,) = build_eval_batches(settings, build_lists(settings).val, ALONE, eval_views(settings))
    for views in batch.views:
        for i in range(12):
            for j in range(i):
                assert not torch.equal(views[i], views[j])


def test_an_image_vit_starts_a_vivit(motion, monkeypatch):
    image = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=5)
    created = []

    def create(name, pretrained):
        created.append((name, pretrained))
        return image

    monkeypatch.setattr(timm, "create_model", create)
    sizes = [
        "model.width=192",
        "model.depth=12",
        "model.heads=3",
        "model.tubelet=[2, 16, 16]",
        "model.position=learned",
    ]
    model = build_model(config(motion, *sizes, "model.token_learner.after_block=6"), "abcdefgh")
    said = init_weights(model, "timm:vit_tiny_patch16_224")
    assert created == [("vit_tiny_patch16_224", True)]
    assert "timm:vit_tiny_patch16_224" in said
    kernel = model.network.tokenizer.projection.weight
    assert torch.equal(kernel[:, :, 1], image.patch_embed.proj.weight)
    assert not kernel[:, :, 0].any()


def test_initial_weights_that_cannot_be_had_are_told(motion):
    model = build_model(config(motion), "abcdefgh")
    with pytest.raises(CheckpointError, match="timm cannot get these weights"):
        init_weights(model, "timm:no_such_model")
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        init_weights(model, "none.pt")


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


def test_a_run_starts_from_any_file_of_weights(motion, tmp_path):
    settings = config(motion)
    model = saved_run(settings, tmp_path / "run")
    model.save_pretrained(tmp_path / "saved")
    torch.save(model.network.state_dict(), tmp_path / "network.pth")
    for source in ("run", "run/checkpoints/step_00000005.pt", "saved", "saved/model.safetensors", "network.pth"):
        other = build_model(config(motion, "run.seed=9"), "abcdefgh")
        assert not same_weights(model, other)
        assert init_weights(other, str(tmp_path / source)).endswith("(all weights)")
        assert same_weights(model, other)
    other = build_model(config(motion, "run.seed=9"), "abc")
    assert "missing: head.logits.weight" in init_weights(other, str(tmp_path / "run"))


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
