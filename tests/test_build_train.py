"""From a config to the parts of training: initial weights, optimizer, loss, precision."""

import warnings
from pathlib import Path

import pytest
import timm
import torch
from transformers import VivitConfig, VivitForVideoClassification

from tests.building import config, same_weights, saved_run
from vidtok.build import Lists, build_model
from vidtok.build_train import (
    build_loss,
    build_optimizer,
    build_scaler,
    build_schedule,
    describe_start,
    init_weights,
    prepare_training,
    set_head_bias,
)
from vidtok.config_io import to_yaml
from vidtok.data.records import Records
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.create import create_model
from vidtok.train.checkpoint import Checkpoint
from vidtok.train.loss import ClassLoss
from vidtok.train.parallel import Parallel
from vidtok.train.shards import save_shards, shards_path


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
    source = "timm:vit_tiny_patch16_224"
    said = describe_start(source, init_weights(model, source))
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


def test_a_run_starts_from_any_file_of_weights(motion, tmp_path):
    settings = config(motion)
    model = saved_run(settings, tmp_path / "run")
    model.save_pretrained(tmp_path / "saved")
    torch.save(model.network.state_dict(), tmp_path / "network.pth")
    for source in ("run", "run/checkpoints/step_00000005.pt", "saved", "saved/model.safetensors", "network.pth"):
        other = build_model(config(motion, "run.seed=9"), "abcdefgh")
        assert not same_weights(model, other)
        assert describe_start(source, init_weights(other, str(tmp_path / source))).endswith("(all weights)")
        assert same_weights(model, other)
    other = build_model(config(motion, "run.seed=9"), "abc")
    assert init_weights(other, str(tmp_path / "run")).missing == ("head.logits.bias", "head.logits.weight")


def test_a_run_starts_from_a_folder_of_transformers(tmp_path):
    sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 6, "intermediate_size": 96}
    theirs = VivitForVideoClassification(VivitConfig(image_size=[32, 64], num_frames=8, num_labels=3, **sizes))
    with torch.no_grad():
        theirs.vivit.embeddings.position_embeddings[0, 1:, 0] = torch.arange(4.0).repeat_interleave(2 * 4)
    theirs.save_pretrained(tmp_path)
    options = {"classes": 3, "width": 24, "depth": 1, "frames": 16, "size": 32, "pool": "cls"}
    model = create_model("vivit", heads=6, **options)
    report = init_weights(model, str(tmp_path))
    assert report.resized == ("vivit.embeddings.position_embeddings (4 x 2 x 4 -> 8 x 2 x 2)",)
    table = model.network.encoder.position.table[:, 0, 0, 0].detach()
    torch.testing.assert_close(table, torch.linspace(0, 3, 8))
    with pytest.raises(CheckpointError, match="made with 6 heads, the network has 3: set heads=6"):
        init_weights(create_model("vivit", heads=3, **options), str(tmp_path))
    torch.save(theirs.state_dict(), tmp_path.parent / "a.pth")
    with pytest.raises(CheckpointError, match="cannot tell which grid of a clip these 32 positions"):
        init_weights(model, str(tmp_path.parent / "a.pth"))
    init_weights(model, str(tmp_path.parent / "a.pth"), source_grid=(4, 2, 4))


def test_timm_knows_the_grid_and_the_colours_of_its_pictures(monkeypatch):
    image = timm.create_model(
        "vit_tiny_patch16_224", img_size=(32, 128), embed_dim=24, depth=1, num_heads=3, num_classes=5
    )
    image.pretrained_cfg["mean"] = (0.1, 0.2, 0.3)  # one of its own: timm makes a copy for each model
    with torch.no_grad():
        image.pos_embed[0, 1:, 0] = torch.arange(8.0).repeat(2)
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: image)
    options = {"classes": 3, "width": 24, "depth": 1, "frames": 4, "size": 64, "pool": "cls", "gelu": "erf"}
    model = create_model("vivit", heads=3, **options)
    states = torch.get_rng_state()
    report = init_weights(model, "timm:vit", follow_normalisation=True)
    assert torch.equal(torch.get_rng_state(), states)
    assert "pos_embed (1 x 2 x 8 -> 2 x 4 x 4)" in report.resized
    torch.testing.assert_close(model.network.encoder.position.table[1, 3, :, 0].detach(), torch.linspace(0, 7, 4))
    assert model.normalisation[0] == (0.1, 0.2, 0.3)
    with pytest.raises(CheckpointError, match="made with 3 heads, the network has 2: set heads=3"):
        init_weights(create_model("vivit", heads=2, **options), "timm:vit")
    with pytest.raises(CheckpointError, match="these weights fit ViViT or FactorisedEncoderViViT, not CASViT"):
        init_weights(create_model("casvit_xs", classes=3, size=64), "timm:vit")


def test_weights_that_do_not_say_what_they_were_made_for_are_not_followed(tmp_path):
    model = create_model("vivit", classes=3, width=24, depth=1, heads=2, frames=2, size=32)
    torch.save(model.network.state_dict(), tmp_path / "network.pth")
    with pytest.raises(CheckpointError, match="do not say how pixels were normalised for them; give the numbers"):
        init_weights(model, str(tmp_path / "network.pth"), follow_normalisation=True)


def test_every_key_of_training_arrives(motion, tmp_path):
    settings = config(
        motion,
        "train.betas=null",
        *("train.optimizer=momentum", "train.momentum=0.8", "train.lr=0.2", "train.lr_batch=8"),
        *("train.weight_decay=0.3", "train.layer_decay=0.5"),
        *("train.lr_scale={new: 10.0}", "train.freeze=[tokenizer.*]"),
        *("train.schedule=linear", "train.min_lr=0.01", "train.warmup_steps=0", "train.steps=10"),
        *("train.loss=sigmoid", "train.over_classes=sum", "train.checkpoint_blocks=true", "train.head_bias=-10.0"),
    )
    model = build_model(settings, "abcdefgh")
    set_head_bias(model, -10.0, new=None)
    assert model.network.head.logits.bias.tolist() == [-10.0] * 8
    prepare_training(settings, model, torch.device("cpu"))
    optimizer = build_optimizer(settings, model, new={"head.logits.weight"})
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    assert not any(name.startswith("tokenizer") for name in rates)
    schedule = build_schedule(settings, optimizer, steps=10)
    schedule.step_update(5)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    middle = (0.2 * 4 / 8 + 0.01) / 2
    assert rates["head.logits.weight"] == pytest.approx(10 * middle)
    assert rates["head.logits.bias"] == pytest.approx(middle)
    assert rates["encoder.blocks.0.mlp.expand.weight"] == pytest.approx(middle / 4)
    assert (optimizer.defaults["momentum"], optimizer.defaults["nesterov"]) == (0.8, False)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.3}
    assert build_loss(settings, lists_of("abc")) == ClassLoss(classes=3, kind="sigmoid", over_classes="sum")
    assert "forward" in vars(model.network.blocks[0])
    smooth = config(motion, "train.label_smoothing=0.1")
    assert build_loss(smooth, lists_of("abc")) == ClassLoss(classes=3, label_smoothing=0.1)


def test_the_head_bias_is_set_where_no_weights_came(motion):
    model = build_model(config(motion), "abcdefgh")
    set_head_bias(model, -10.0, new={"tokenizer.projection.bias"})
    assert not model.network.head.logits.bias.any()
    assert model.network.tokenizer.projection.bias.min() > -10
    set_head_bias(model, -10.0, new={"head.logits.bias", "head.logits.weight"})
    assert (model.network.head.logits.bias == -10).all()
    assert not model.network.head.logits.weight.any()


def test_what_needs_a_gpu_says_so(motion):
    with pytest.raises(ConfigError, match=r"train.precision=fp16 needs a GPU; on a CPU set train.precision=bf16"):
        build_scaler(config(motion, "train.precision=fp16"), torch.device("cpu"))
    settings = config(motion, "train.batch_norm=sync")
    with pytest.raises(ConfigError, match=r"`batch_norm`=sync: torch synchronises"):
        prepare_training(settings, build_model(settings, "abcdefgh"), torch.device("cpu"))


def test_a_run_starts_from_a_run_with_sharded_checkpoints(motion, tmp_path):
    settings = config(motion, "run.seed=3")
    model, folder = build_model(settings, "abcdefgh"), tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    state = Checkpoint(
        step=5,
        model=model.state_dict(),
        optimizer={"state": {}},
        config=to_yaml(settings),
        classes=tuple("abcdefgh"),
        bad={},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says, in some runs, that a single process writes them
        save_shards(state, shards_path(folder, 5), Parallel(device=torch.device("cpu")))
    other = build_model(config(motion), "abcdefgh")
    source = str(tmp_path / "run")
    assert describe_start(source, init_weights(other, source)).endswith("(all weights)")
    assert same_weights(model, other)


def lists_of(classes, labels=((0,),)):
    records = Records([f"{i}.mp4" for i in range(len(labels))], labels, root=Path("."), source=Path("list.csv"))
    return Lists(train=records, val=records, classes=tuple(classes))


def test_weights_of_classes_are_named_or_follow_from_the_list(motion):
    lists = lists_of("abcd", [(0,), (1,), (1,), (3,), (3,), (3,)])

    def weights(*changes):
        return build_loss(config(motion, *changes), lists).weights

    assert weights() is None
    assert weights("train.class_weights={b: 3, d: 0.5}") == (1.0, 3.0, 1.0, 0.5)
    assert weights("train.class_weights=balanced") == pytest.approx((2.0, 1.0, 1.0, 2 / 3))
    assert weights("train.class_weights=balanced", "train.loss=sigmoid") == pytest.approx((5.0, 2.0, 1.0, 1.0))
    with pytest.raises(ConfigError, match=r"train\.class_weights: 'bb' is none of the classes; did you mean 'b'\?"):
        weights("train.class_weights={bb: 3.0}")
    with pytest.raises(ConfigError, match=r"'zzz' is none of the classes; they are a, b, c, d"):
        weights("train.class_weights={zzz: 3.0}")


def test_initial_weights_that_are_not_finite_are_refused(motion, tmp_path):
    settings = config(motion)
    model = build_model(settings, "abcdefgh")
    with torch.no_grad():
        model.network.tokenizer.projection.bias[3] = float("nan")
    state = {f"network.{name}": tensor for name, tensor in model.network.state_dict().items()}
    torch.save(state, tmp_path / "start.pth")
    model.save_pretrained(tmp_path / "saved")
    for source in ("start.pth", "saved"):
        with pytest.raises(CheckpointError, match=r"tokenizer\.projection\.bias is not finite"):
            init_weights(build_model(settings, "abcdefgh"), str(tmp_path / source))
