"""Weights of timm's image ViT (`vit_base_patch16_224` and its like) into a ViViT."""

from collections.abc import Mapping

from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_blocks import NOTHING, BlockKeys, Made, check_made, put_blocks
from vidtok.models.weights.vit_parts import put_class_token, put_head, put_kernel, put_positions
from vidtok.nn.position import Grid
from vidtok.nn.tubelet import Inflation

BLOCKS = BlockKeys(
    block="blocks.{i}.",
    attention_norm="norm1",
    qkv=("attn.qkv",),
    projection="attn.proj",
    mlp_norm="norm2",
    expand="mlp.fc1",
    contract="mlp.fc2",
)


def load_timm_vit(
    network: ViViT | FactorisedEncoderViViT,
    state: Mapping[str, Tensor],
    *,
    inflation: Inflation = "central",
    source_grid: Grid | None = None,
    zero_time_attention: bool = False,
    made: Made = NOTHING,
) -> Report:
    """Bring an image ViT into a video network: the paper's initialisation (arXiv 2103.15691, section 3.4).

    The kernel is inflated in time, positions are resized in space and repeated over time. With several mixers in a
    block each starts as the image's attention, but with `zero_time_attention` those over time get a zero projection, so
    that they add nothing at first. The time encoder of a factorised encoder, TokenLearner, and a head for other classes
    keep their start. `source_grid`: (1, rows, columns) of the picture's positions, by default the network's or a
    square. `made`: what is known of the model that the weights were made in.

    Raises CheckpointError, naming the keys, for anything else that does not fit: another width or depth, mixers other
    than mhsa, a norm on the other side of the pooling, layer scale, register tokens.
    """
    transfer = Transfer(network, state)
    put_kernel(
        transfer,
        transfer.take("patch_embed.proj.weight"),
        bias=transfer.take("patch_embed.proj.bias"),
        source="patch_embed.proj.weight",
        inflation=inflation,
    )
    if isinstance(network, ViViT):
        encoder, prefix, pool, norm = network.encoder, "encoder.", network.pool, "pool.norm"
    else:
        encoder, prefix, pool, norm = network.space, "space.", network.space_pool, "space_pool.norm"
    put_class_token(transfer, "cls_token", prefix=prefix)
    put_positions(
        transfer,
        transfer.take("pos_embed")[0],
        source="pos_embed",
        class_row=transfer.has("cls_token"),
        picture=True,
        prefix=prefix,
        grid=encoder.grid,
        source_grid=source_grid,
    )
    put_blocks(transfer, encoder, prefix, BLOCKS, zero_time_attention=zero_time_attention)
    # timm calls the last norm fc_norm where it stands behind the pooling.
    behind = transfer.has("fc_norm.weight")
    if behind != (pool.norm_position == "after_pool"):
        place = "after_pool" if behind else "before_pool"
        raise CheckpointError(f"the weights' last norm stands elsewhere: set `norm_position`={place}")
    for kind in ("weight", "bias"):
        transfer.move(f"{'fc_norm' if behind else 'norm'}.{kind}", f"{norm}.{kind}")
    put_head(transfer, "head.weight", "head.bias")
    check_made(transfer, encoder, pool, made, usual={"gelu": "erf", "norm_eps": 1e-6, "last_norm_eps": 1e-6})
    return transfer.finish(
        may_miss=[
            *("head.", "time.", "time_pool."),
            *(f"{prefix}token_learners.", f"{prefix}token_fusers.", f"{prefix}class_token.", f"{prefix}time_position."),
        ]
    )
