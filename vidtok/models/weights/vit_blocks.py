"""The blocks of a ViT, for every format that stores PyTorch matrices (out, in): formats differ in names only."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from vidtok.errors import CheckpointError
from vidtok.models.weights.transfer import Transfer
from vidtok.nn.block import Block
from vidtok.nn.encoder import Encoder
from vidtok.nn.mixers.mhsa import MHSA
from vidtok.nn.pool import Pool

Made = Mapping[str, Any]
"""Options of the network that weights were made in, as far as they are known."""
NOTHING: Made = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class BlockKeys:
    """What a format calls the parts of block `{i}`; `.weight` and `.bias` come behind each."""

    block: str
    """Beginning of every key, with `{i}` in the block's place."""
    attention_norm: str
    qkv: tuple[str, ...]
    """One matrix with rows [q | k | v], or the three of them."""
    qv_bias: tuple[str, str] | None = None
    """Whole names of the biases of q and v, where they stand by themselves."""
    projection: str
    mlp_norm: str
    expand: str
    contract: str


def put_blocks(
    transfer: Transfer, encoder: Encoder, prefix: str, keys: BlockKeys, *, zero_time_attention: bool = False
) -> None:
    """Give every block of an encoder its weights; with several mixers in a block each gets the same.

    Raises CheckpointError for mixers other than mhsa.
    """
    for i, block in enumerate(encoder.blocks):
        assert isinstance(block, Block)
        source = keys.block.format(i=i)
        put_block(transfer, block, f"{prefix}blocks.{i}.", source, keys, zero_time_attention=zero_time_attention)


def put_block(
    transfer: Transfer, block: Block, target: str, source: str, keys: BlockKeys, *, zero_time_attention: bool = False
) -> None:
    """Give one block its weights; `target` and `source` are the beginnings of its names, ours and theirs."""
    for j, mixer in enumerate(block.mixers):
        if not isinstance(mixer, MHSA):
            raise CheckpointError(
                f"{source}: attention does not fit the mixer {type(mixer).__name__} of {target}mixers.{j}"
            )
        zero = zero_time_attention and mixer.axes == "time"
        _qkv(transfer, source, f"{target}mixers.{j}", keys)
        for kind in ("weight", "bias"):
            transfer.move(f"{source}{keys.attention_norm}.{kind}", f"{target}norms.{j}.{kind}")
            key = f"{source}{keys.projection}.{kind}"
            transfer.put(f"{target}mixers.{j}.projection.{kind}", transfer.take(key) * (not zero), source=key)
    for kind in ("weight", "bias"):
        transfer.move(f"{source}{keys.mlp_norm}.{kind}", f"{target}mlp_norm.{kind}")
        transfer.move(f"{source}{keys.expand}.{kind}", f"{target}mlp.expand.{kind}")
        transfer.move(f"{source}{keys.contract}.{kind}", f"{target}mlp.contract.{kind}")


def _qkv(transfer: Transfer, source: str, target: str, keys: BlockKeys) -> None:
    """Matrices and biases of q, k and v in the network's form; a key's bias changes nothing, so it may go."""
    first = f"{source}{keys.qkv[0]}.weight"
    weight = torch.cat([transfer.take(f"{source}{name}.weight") for name in keys.qkv])
    transfer.put(f"{target}.qkv.weight", weight, source=first)
    width = len(weight) // 3
    biases = [f"{source}{name}.bias" for name in keys.qkv if transfer.has(f"{source}{name}.bias")]
    if keys.qv_bias is not None and transfer.has(f"{source}{keys.qv_bias[0]}"):
        biases = [f"{source}{name}" for name in keys.qv_bias]
    if not biases:
        return
    values = torch.cat([transfer.take(key) for key in biases])
    if len(values) == 2 * width:
        q, v = values.chunk(2)
        values = torch.cat([q, torch.zeros_like(q), v])
    if transfer.wants(f"{target}.q_bias") is None:
        transfer.put(f"{target}.qkv.bias", values, source=biases[0])
        return
    q, k, v = values.chunk(3)
    transfer.put(f"{target}.q_bias", q, source=biases[0])
    transfer.put(f"{target}.v_bias", v, source=biases[-1])
    if k.any():
        transfer.note_resized(biases[0], "without the keys' bias, which changes nothing")


def check_made(transfer: Transfer, encoder: Encoder, pool: Pool, made: Made, *, usual: Made) -> None:
    """Compare what shapes do not show: CheckpointError for other heads, a note for another activation or epsilon.

    `made` is known of the very model that the weights come from, `usual` holds for most of its kind.
    """
    block = encoder.blocks[0]
    assert isinstance(block, Block)
    check_heads(encoder, made.get("heads"))
    ours = {"gelu": block.mlp.form, "norm_eps": block.mlp_norm.eps, "last_norm_eps": pool.norm.eps, "pool": pool.kind}
    for option, theirs in {**usual, **made}.items():
        if option in ours and theirs != ours[option]:
            whose = "the weights were" if option in made else "weights of this kind are usually"
            transfer.note(f"{whose} made with {option}={theirs}, the network has {ours[option]}: set `{option}`")


def check_heads(encoder: Encoder, heads: int | None, *, option: str = "heads") -> None:
    """Raise CheckpointError where the weights were made with other attention heads, which no shape shows."""
    for block in encoder.blocks:
        assert isinstance(block, Block)
        for mixer in block.mixers:
            if heads is not None and isinstance(mixer, MHSA) and mixer.heads != heads:
                said = f"the weights were made with {heads} heads, the network has {mixer.heads}"
                raise CheckpointError(f"{said}: set {option}={heads}")
