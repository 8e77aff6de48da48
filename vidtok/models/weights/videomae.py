"""Weights of VideoMAE v1 and v2 and of UMT, under the originals' names or transformers'."""

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_blocks import NOTHING, BlockKeys, Made, check_made, put_blocks
from vidtok.models.weights.vit_parts import put_head, put_kernel
from vidtok.nn.position import Grid, LearnedPosition, resize_table, sincos_flat

ORIGINAL = BlockKeys(
    block="blocks.{i}.",
    attention_norm="norm1",
    qkv=("attn.qkv",),
    qv_bias=("attn.q_bias", "attn.v_bias"),
    projection="attn.proj",
    mlp_norm="norm2",
    expand="mlp.fc1",
    contract="mlp.fc2",
)
TRANSFORMERS = BlockKeys(
    block="videomae.encoder.layer.{i}.",
    attention_norm="layernorm_before",
    qkv=("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    qv_bias=("attention.attention.q_bias", "attention.attention.v_bias"),
    projection="attention.output.dense",
    mlp_norm="layernorm_after",
    expand="intermediate.dense",
    contract="output.dense",
)
# Beginnings of names that wrappers of training code leave; taken off in this order, again and again.
PREFIXES = ("module.", "backbone.", "_orig_mod.")
ONLY_IN_PRETRAINING = ("decoder.", "encoder_to_decoder.", "mask_token")


def load_videomae(
    network: ViViT, state: Mapping[str, Tensor], *, source_grid: Grid | None = None, made: Made = NOTHING
) -> Report:
    """Bring a fine-tuned or pretrained VideoMAE (arXiv 2203.12602, 2303.16727) or UMT (arXiv 2303.16058) into a ViViT.

    The same numbers come from ViViT(position="sincos_flat", pool="mean", norm_position="after_pool", gelu="erf",
    mixer={"name": "mhsa", "qkv_bias": "qv"}), with norm_eps=1e-12 and last_norm_eps=1e-5 for models that transformers
    runs; UMT has tubelets of one frame. Their positions are not saved but follow from the grid. Where the network's
    positions are learned they start as those, made on `source_grid` (by default the network's grid) and resized; a
    network with sines and cosines makes them anew on its own grid, which the report says where the grids differ. Of a
    file from pretraining the decoder and the norm before it are left out, and the network's last norm keeps its start,
    as do a head for other classes and TokenLearner. `made`: what config.json says.

    Raises CheckpointError, naming the keys, for anything else that does not fit.
    """
    names = {key: _bare(key) for key in state}
    bare = {names[key]: tensor for key, tensor in state.items()}
    if len(bare) < len(state):
        raise CheckpointError("two keys of the weights have the same name once the wrappers' beginnings are taken off")
    transfer = Transfer(network, bare)
    for key in bare:
        if key.startswith(ONLY_IN_PRETRAINING):
            transfer.skip(key, "only used in pretraining")
    hub = any(key.startswith("videomae.") for key in bare)
    kernel = "videomae.embeddings.patch_embeddings.projection" if hub else "patch_embed.proj"
    put_kernel(
        transfer,
        transfer.take(f"{kernel}.weight"),
        bias=transfer.take(f"{kernel}.bias"),
        source=f"{kernel}.weight",
        inflation="central",
    )
    _positions(transfer, network, source_grid)
    put_blocks(transfer, network.encoder, "encoder.", TRANSFORMERS if hub else ORIGINAL)
    may_miss = ["head.", "encoder.token_learners.", "encoder.token_fusers."]
    if transfer.has("fc_norm.weight"):
        if network.pool.norm_position != "after_pool":
            raise CheckpointError("the weights' last norm stands behind the pooling: set `norm_position`=after_pool")
        for kind in ("weight", "bias"):
            transfer.move(f"fc_norm.{kind}", f"pool.norm.{kind}")
    elif hub and transfer.has("classifier.weight"):
        raise CheckpointError(
            "videomae.layernorm with a classifier: these weights read the first token instead of the mean "
            "(use_mean_pooling is false in config.json), which has no form here"
        )
    elif not (transfer.has("head.weight") or transfer.has("classifier.weight")):
        may_miss.append("pool.norm.")
        for key in ("norm.weight", "norm.bias", "videomae.layernorm.weight", "videomae.layernorm.bias"):
            transfer.skip(key, "the norm before the decoder, which fine-tuning drops")
    for head in ("head", "classifier"):
        put_head(transfer, f"{head}.weight", f"{head}.bias")
    # transformers keeps its own defaults: 1e-12 in the blocks, and torch's 1e-5 behind the pooling.
    norm_eps, last_norm_eps = (1e-12, 1e-5) if hub else (1e-6, 1e-6)
    usual = {"gelu": "erf", "norm_eps": norm_eps, "last_norm_eps": last_norm_eps}
    check_made(transfer, network.encoder, network.pool, made, usual=usual)
    return transfer.finish(may_miss=may_miss)


def _bare(key: str) -> str:
    while key.startswith(PREFIXES):
        key = key.split(".", 1)[1]
    # Pretraining files of the originals hold the encoder under `encoder.`, transformers' under `videomae.encoder.`.
    return key.removeprefix("encoder.")


def _positions(transfer: Transfer, network: ViViT, source_grid: Grid | None) -> None:
    width = network.tokenizer.projection.out_channels
    grid = source_grid or network.grid
    table = sincos_flat(width, grid=grid)
    if transfer.has("pos_embed"):
        saved = transfer.state["pos_embed"].float()
        if saved.shape[1:] != (grid[0] * grid[1] * grid[2], width):
            raise CheckpointError(
                f"pos_embed: {saved.shape[1]} positions of width {saved.shape[2]} are not the grid {grid}; "
                "say so with source_grid=(t, h, w)"
            )
        if (rearrange(table, "t h w d -> 1 (t h w) d") - saved).abs().max() > 1e-3:
            raise CheckpointError(
                "pos_embed: not sines and cosines of the flattened index, as VideoMAE and UMT have them"
            )
        transfer.skip("pos_embed", "the same sines and cosines follow from the grid")
    position = network.encoder.position
    if isinstance(position, LearnedPosition):
        if grid != network.grid:
            transfer.note(f"positions were made on {grid} and resized to {network.grid}")
        transfer.put("encoder.position.table", resize_table(table, network.grid), source="positions")
        return
    own = getattr(position, "table", None)
    # On the meta device, where a network is only tried on, there are no values to compare.
    if own is None or not (own.is_meta or torch.equal(own, sincos_flat(width, grid=network.grid).to(own))):
        raise CheckpointError("VideoMAE's positions are sines and cosines: set `position`=sincos_flat, or learned")
    if grid != network.grid:
        transfer.note(
            f"the weights were made on the grid {grid}; the positions are sines and cosines made anew for "
            f"{network.grid}. With `position`=learned they start as the weights', resized"
        )
