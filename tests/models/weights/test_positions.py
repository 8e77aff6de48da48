"""Positions that encode their own place come to the same place, whichever way weights take into a network."""

import json
import logging

import msgpack
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VivitConfig, VivitForVideoClassification

from tests.models.weights.test_flax_file import tree_of
from vidtok.errors import CheckpointError, ModelError
from vidtok.models.create import create_model
from vidtok.nn.position import resize_table, sincos_flat

SMALL = {"width": 24, "depth": 1, "heads": 2, "classes": 3}


def places(t, h, w, width=24):
    """A table whose first three channels are the place itself."""
    table = torch.zeros(t, h, w, width)
    table[..., :3] = torch.stack(torch.meshgrid(*(torch.arange(float(n)) for n in (t, h, w)), indexing="ij"), dim=-1)
    return table


def reads_its_own_place(table, source):
    """Corners of a resized table are the corners of the source, and each axis runs from 0 to its last place."""
    for axis, (n, m) in enumerate(zip(table.shape[:3], source, strict=True)):
        line = table.movedim(axis, 0).reshape(n, -1, 24)[:, 0, axis]
        want = torch.linspace(0, m - 1, n) if n > 1 else torch.zeros(1)
        torch.testing.assert_close(line, want, atol=1e-4, rtol=0)
        spread = table[..., axis].movedim(axis, 0).reshape(n, -1)
        torch.testing.assert_close(spread, spread[:, :1].expand_as(spread), atol=1e-4, rtol=0)


def scenic(tmp_path, frames, size, token=True, name="checkpoint"):
    """A file of scenic's Model 1 of tubelets 2 x 16 x 16."""
    rows, columns = size
    grid = (frames // 2, rows // 16, columns // 16)
    network = create_model("vivit_b16x2", frames=frames, size=size, **SMALL).network
    state = network.state_dict()
    block, arrays = "encoder.blocks.0.", {}
    arrays["embedding/kernel"] = state["tokenizer.projection.weight"].permute(2, 3, 4, 1, 0)
    arrays["embedding/bias"] = state["tokenizer.projection.bias"]
    table = places(*grid).reshape(1, -1, 24)
    if token:
        arrays["cls"] = torch.zeros(1, 1, 24)
        table = torch.cat([torch.full((1, 1, 24), 99.0), table], dim=1)
    arrays["Transformer/posembed_input/pos_embedding"] = table
    theirs = "Transformer/encoderblock_0/"
    for ours, name_ in (("norms.0", "LayerNorm_0"), ("mlp_norm", "LayerNorm_1")):
        arrays |= {f"{theirs}{name_}/scale": state[f"{block}{ours}.weight"]}
        arrays |= {f"{theirs}{name_}/bias": state[f"{block}{ours}.bias"]}
    q, k, v = state[f"{block}mixers.0.qkv.weight"].chunk(3)
    attention = f"{theirs}MultiHeadDotProductAttention_0/"
    for part, matrix in (("query", q), ("key", k), ("value", v)):
        arrays[f"{attention}{part}/kernel"] = matrix.T.reshape(24, 2, 12)
        arrays[f"{attention}{part}/bias"] = torch.zeros(2, 12)
    arrays[f"{attention}out/kernel"] = state[f"{block}mixers.0.projection.weight"].T.reshape(2, 12, 24)
    arrays[f"{attention}out/bias"] = torch.zeros(24)
    for ours, name_ in (("expand", "Dense_0"), ("contract", "Dense_1")):
        arrays[f"{theirs}MlpBlock_0/{name_}/kernel"] = state[f"{block}mlp.{ours}.weight"].T
        arrays[f"{theirs}MlpBlock_0/{name_}/bias"] = state[f"{block}mlp.{ours}.bias"]
    arrays["Transformer/encoder_norm/scale"] = torch.ones(24)
    arrays["Transformer/encoder_norm/bias"] = torch.zeros(24)
    path = tmp_path / name
    tree = tree_of({key: value.contiguous().numpy().astype(np.float32) for key, value in arrays.items()})
    path.write_bytes(msgpack.packb({"optimizer": {"target": tree}}))
    return path


def vivit(tmp_path, frames, size, name="vivit"):
    """A folder of transformers' ViViT; its config takes squares alone unless size is a pair."""
    config = VivitConfig(
        image_size=list(size), num_frames=frames, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=96, num_labels=3,
    )  # fmt: skip
    model = VivitForVideoClassification(config)
    grid = (frames // 2, size[0] // 16, size[1] // 16)
    with torch.no_grad():
        model.vivit.embeddings.position_embeddings[0, 1:] = places(*grid).reshape(-1, 24)
    model.save_pretrained(tmp_path / name)
    return tmp_path / name


def timm_vit(tmp_path, size, name="vit.pth"):
    image = timm.create_model(
        "vit_tiny_patch16_224", img_size=size, embed_dim=24, depth=1, num_heads=2, num_classes=5, patch_size=16
    )
    grid = (1, size[0] // 16, size[1] // 16)
    with torch.no_grad():
        image.pos_embed[0, 1:] = places(*grid).reshape(-1, 24)
    torch.save(image.state_dict(), tmp_path / name)
    return tmp_path / name


def table_of(model):
    return model.network.encoder.position.table.detach()


# The published clip of vivit_b16x2 is 32 frames of 224 x 224, so its weights are known to be of 16 x 14 x 14 tokens.
CLIPS = [(32, (224, 224)), (16, (224, 224)), (32, (160, 160)), (64, (224, 224)), (32, (224, 320)), (8, (112, 112))]


@pytest.mark.parametrize(("frames", "size"), CLIPS)
def test_published_clips_keep_their_places(frames, size, tmp_path, caplog):
    model = create_model("vivit_b16x2", frames=frames, size=size, weights=scenic(tmp_path, 32, (224, 224)), **SMALL)
    table = table_of(model)
    reads_its_own_place(table, (16, 14, 14))
    assert table[-1, -1, -1, :3].tolist() == pytest.approx([15, 13, 13], abs=1e-4)
    assert model.network.encoder.class_token.position.detach().unique().tolist() == [99.0]
    if (frames, size) != (32, (224, 224)):
        grid = " x ".join(map(str, table.shape[:3]))
        assert f"resized: Transformer/posembed_input/pos_embedding (16 x 14 x 14 -> {grid})" in caplog.text


@pytest.mark.parametrize("name", ["vivit_b16x2_tl8at6", "vivit_b16x2_fsa"])
def test_they_do_in_every_form_of_the_network(name, tmp_path):
    more = {"token_learner": {"after_block": 0, "tokens": 4}} if "_tl" in name else {}
    model = create_model(name, frames=16, weights=scenic(tmp_path, 32, (224, 224)), **SMALL, **more)
    reads_its_own_place(table_of(model), (16, 14, 14))


def test_a_clip_of_another_grid_must_be_named(tmp_path):
    # The published 16 x 14 x 14 are another number of places, so nothing tells this grid.
    path = scenic(tmp_path, 16, (224, 224))
    for name, more in (("vivit_b16x2", {}), ("vivit", {"pool": "cls"}), ("vivit", {"pool": "cls", "frames": 16})):
        with pytest.raises(
            CheckpointError, match=r"cannot tell which grid of a clip these 1568 .*source_grid=\(t, h, w\)"
        ):
            create_model(name, weights=path, **SMALL, **more)
    model = create_model("vivit_b16x2", weights=path, source_grid=(8, 14, 14), **SMALL)
    reads_its_own_place(table_of(model), (8, 14, 14))
    with pytest.raises(CheckpointError, match="1568 positions are no grid of 8 x 14 x 15"):
        create_model("vivit_b16x2", weights=path, source_grid=(8, 14, 15), **SMALL)
    with pytest.raises(ModelError, match="source_grid"):
        create_model("vivit_b16x2", source_grid=(8, 14, 14), **SMALL)


def test_what_the_caller_says_comes_before_the_published_clip(tmp_path):
    path = scenic(tmp_path, 8, (448, 448))  # as many places as 16 x 14 x 14
    model = create_model("vivit_b16x2", weights=path, source_grid=(4, 28, 28), **SMALL)
    reads_its_own_place(table_of(model), (4, 28, 28))


@pytest.mark.parametrize(
    ("source", "frames", "size"),
    [
        ((8, (448, 448)), None, None),
        ((8, (448, 448)), 32, (224, 224)),
        ((4, (256, 640)), 4, (640, 256)),
        ((32, (224, 224)), 16, (160, 160)),
        ((4, (112, 112)), 64, (32, 48)),
    ],
)
def test_config_json_tells_the_grid(source, frames, size, tmp_path):
    folder = vivit(tmp_path, *source)
    for weights in (folder, folder / "model.safetensors"):
        model = create_model("vivit_b16x2", frames=frames, size=size, weights=weights)
        reads_its_own_place(table_of(model), (source[0] // 2, source[1][0] // 16, source[1][1] // 16))
        if frames is None:
            assert (model.architecture.frames, model.architecture.size) == source


def test_a_config_that_is_another_models_is_refused(tmp_path):
    folder = vivit(tmp_path, 4, (32, 48))
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, "num_frames": 8}))
    with pytest.raises(CheckpointError, match=r"position_embeddings: 12 positions, but .*config.json .* 4 x 2 x 3"):
        create_model("vivit_b16x2", weights=folder)


def test_a_picture_is_repeated_and_never_cut_into_a_clip(tmp_path, caplog):
    path = timm_vit(tmp_path, (224, 224))
    model = create_model("vivit_b16x2", frames=8, size=112, weights=path, **SMALL)  # 4 x 7 x 7 = 14 x 14
    table = table_of(model)
    assert not table[..., 0].any()
    reads_its_own_place(table, (1, 14, 14))
    assert "resized: pos_embed (1 x 14 x 14 -> 4 x 7 x 7)" in caplog.text
    model = create_model("vivit_b16x2_fe", frames=8, size=112, weights=path, time_depth=1, **SMALL)
    reads_its_own_place(model.network.space.position.table.detach(), (1, 14, 14))


def test_a_picture_that_is_no_square_must_be_named(tmp_path):
    path = timm_vit(tmp_path, (256, 640))
    for size in ((256, 640), (640, 256), 224):
        with pytest.raises(CheckpointError, match="cannot tell which grid of a picture these 640"):
            create_model("vivit_b16x2", frames=2, size=size, weights=path, **SMALL)
    model = create_model("vivit_b16x2", frames=2, size=(640, 256), weights=path, source_grid=(1, 16, 40), **SMALL)
    reads_its_own_place(table_of(model), (1, 16, 40))
    # 4 x 16 = 8 x 8: the network's own shape speaks against the square, so it is asked for.
    path = timm_vit(tmp_path, (64, 256))
    with pytest.raises(CheckpointError, match="cannot tell which grid of a picture these 64"):
        create_model("vivit_b16x2", frames=2, size=(64, 256), weights=path, **SMALL)


def test_our_own_tables_know_their_grid(tmp_path, caplog):
    model = create_model("vivit_b16x2", frames=8, size=(64, 160), **SMALL)
    with torch.no_grad():
        model.network.encoder.position.table.copy_(places(4, 4, 10))
    model.save_pretrained(tmp_path / "saved")
    torch.save(model.network.state_dict(), tmp_path / "network.pth")
    for source in ("saved", "network.pth"):
        caplog.clear()
        again = create_model("vivit_b16x2", frames=4, size=(160, 64), weights=tmp_path / source, **SMALL)
        reads_its_own_place(table_of(again), (4, 4, 10))
        assert "resized: encoder.position.table (4 x 4 x 10 -> 2 x 10 x 4)" in caplog.text
    with pytest.raises(CheckpointError, match="no grid of these weights' positions is in question"):
        create_model("vivit_b16x2", weights=tmp_path / "saved", source_grid=(4, 4, 10))


def videomae(tmp_path, frames, size):
    config = VideoMAEConfig(
        image_size=size, num_frames=frames, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=96, num_labels=3,
    )  # fmt: skip
    VideoMAEForVideoClassification(config).save_pretrained(tmp_path / "videomae")
    return tmp_path / "videomae"


def test_sines_and_cosines_start_on_the_models_own_grid(tmp_path, caplog):
    folder = videomae(tmp_path, 8, 112)
    theirs = sincos_flat(24, grid=(4, 7, 7))
    learned = create_model("videomae_b16x2", frames=16, size=64, position="learned", weights=folder)
    assert torch.equal(table_of(learned), resize_table(theirs, (8, 4, 4)))
    assert "positions were made on (4, 7, 7) and resized to (8, 4, 4)" in caplog.text
    caplog.clear()
    anew = create_model("videomae_b16x2", frames=16, weights=folder)
    assert torch.equal(table_of(anew), sincos_flat(24, grid=(8, 7, 7)))
    assert "the weights were made on the grid (4, 7, 7); the positions are sines and cosines made anew" in caplog.text
    caplog.clear()
    same = create_model("videomae_b16x2", weights=folder)
    assert torch.equal(table_of(same), theirs)
    assert "made anew" not in caplog.text
    # Without config.json the published model's clip stands for it, and without a published model nobody knows.
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "videomae.pth")
    caplog.clear()
    options = {**same.architecture.options, "classes": 3, "weights": tmp_path / "videomae.pth"}
    learned = create_model("videomae_b16x2", frames=8, **{**options, "position": "learned"})
    assert torch.equal(table_of(learned), resize_table(sincos_flat(24, grid=(8, 14, 14)), (4, 14, 14)))
    with caplog.at_level(logging.INFO):
        create_model("vivit", frames=8, size=112, **options)
    assert "on which grid the weights were made is not known" in caplog.text
    caplog.clear()
    create_model("vivit", frames=8, size=112, source_grid=(4, 7, 7), **options)
    assert "not known" not in caplog.text
    # A published model whose positions are of another kind tells nothing of these.
    options = {**options, "position": "learned"}
    create_model("vivit_b16x2", frames=8, size=112, **options)
    assert "on which grid the weights were made is not known" in caplog.text


def test_a_published_model_with_other_positions_tells_nothing_of_learned_ones(tmp_path):
    path = scenic(tmp_path, 16, (224, 224))  # as many places as videomae_b16x2 has
    with pytest.raises(CheckpointError, match="cannot tell which grid of a clip these 1568"):
        create_model("videomae_b16x2", weights=path, position="learned", norm_position="before_pool", pool="cls",
                     mixer={"name": "mhsa"}, **SMALL)  # fmt: skip
