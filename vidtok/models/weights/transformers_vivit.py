"""Weights of transformers' `VivitForVideoClassification` (Model 1), under the names of the hub or of its newer code."""

from collections.abc import Mapping

from torch import Tensor

from vidtok.models.vivit import ViViT
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_blocks import NOTHING, BlockKeys, Made, check_made, put_blocks
from vidtok.models.weights.vit_parts import put_class_token, put_head, put_kernel, put_positions
from vidtok.nn.position import Grid

HUB = BlockKeys(
    block="vivit.encoder.layer.{i}.",
    attention_norm="layernorm_before",
    qkv=("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    projection="attention.output.dense",
    mlp_norm="layernorm_after",
    expand="intermediate.dense",
    contract="output.dense",
)
NEWER = BlockKeys(
    block="vivit.layers.{i}.",
    attention_norm="layernorm_before",
    qkv=("attention.q_proj", "attention.k_proj", "attention.v_proj"),
    projection="attention.o_proj",
    mlp_norm="layernorm_after",
    expand="mlp.fc1",
    contract="mlp.fc2",
)


def load_transformers_vivit(
    network: ViViT, state: Mapping[str, Tensor], *, source_grid: Grid | None = None, made: Made = NOTHING
) -> Report:
    """Bring transformers' ViViT into a ViViT with joint attention; with pool="cls" the numbers are the same.

    Without a class token (as TokenLearner needs it) the token and its position are left out. Positions of another grid,
    `source_grid` (by default the network's), are resized. `made`: what config.json says. A head for other classes keeps
    its start. Raises CheckpointError, naming the keys, for all else.
    """
    transfer = Transfer(network, state)
    kernel, positions = "vivit.embeddings.patch_embeddings.projection", "vivit.embeddings.position_embeddings"
    put_kernel(
        transfer,
        transfer.take(f"{kernel}.weight"),
        bias=transfer.take(f"{kernel}.bias"),
        source=f"{kernel}.weight",
        inflation="central",
    )
    put_class_token(transfer, "vivit.embeddings.cls_token")
    put_positions(
        transfer,
        transfer.take(positions)[0],
        source=positions,
        class_row=True,
        picture=False,
        prefix="encoder.",
        grid=network.grid,
        source_grid=source_grid,
    )
    newer = any(key.startswith("vivit.layers.") for key in state)
    put_blocks(transfer, network.encoder, "encoder.", NEWER if newer else HUB)
    for kind in ("weight", "bias"):
        transfer.move(f"vivit.layernorm.{kind}", f"pool.norm.{kind}")
    put_head(transfer, "classifier.weight", "classifier.bias")
    usual = {"gelu": "tanh", "norm_eps": 1e-6, "last_norm_eps": 1e-6}
    check_made(transfer, network.encoder, network.pool, made, usual=usual)
    return transfer.finish(may_miss=["head.", "encoder.token_learners.", "encoder.token_fusers."])
