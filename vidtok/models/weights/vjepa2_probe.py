"""Weights of V-JEPA 2's attentive probes, from Meta's own files or from transformers' classifiers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Shaped
from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.weights.pth import read_pickle
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_blocks import BlockKeys, put_block
from vidtok.nn.attentive_probe import AttentiveProbe
from vidtok.nn.block import Block

META_HEADS = 16
"""In every probe of Meta's, whatever the heads of the encoder."""


@dataclass(frozen=True, kw_only=True)
class ProbeKeys:
    """What a format calls the parts of a probe; `.weight` and `.bias` come behind each but the query."""

    query: str
    blocks: BlockKeys
    norm: str
    """Of the tokens that the query looks at."""
    q: str
    kv: tuple[str, ...]
    """One matrix with rows [k | v], or the two of them."""
    mlp_norm: str
    expand: str
    contract: str
    head: str


META = ProbeKeys(
    query="pooler.query_tokens",
    blocks=BlockKeys(
        block="pooler.blocks.{i}.",
        attention_norm="norm1",
        qkv=("attn.qkv",),
        projection="attn.proj",
        mlp_norm="norm2",
        expand="mlp.fc1",
        contract="mlp.fc2",
    ),
    norm="pooler.cross_attention_block.norm1",
    q="pooler.cross_attention_block.xattn.q",
    kv=("pooler.cross_attention_block.xattn.kv",),
    mlp_norm="pooler.cross_attention_block.norm2",
    expand="pooler.cross_attention_block.mlp.fc1",
    contract="pooler.cross_attention_block.mlp.fc2",
    head="linear",
)
TRANSFORMERS = ProbeKeys(
    query="pooler.query_tokens",
    blocks=BlockKeys(
        block="pooler.self_attention_layers.{i}.",
        attention_norm="layer_norm1",
        qkv=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        projection="self_attn.out_proj",
        mlp_norm="layer_norm2",
        expand="mlp.fc1",
        contract="mlp.fc2",
    ),
    norm="pooler.cross_attention_layer.layer_norm1",
    q="pooler.cross_attention_layer.cross_attn.q_proj",
    kv=("pooler.cross_attention_layer.cross_attn.k_proj", "pooler.cross_attention_layer.cross_attn.v_proj"),
    mlp_norm="pooler.cross_attention_layer.layer_norm2",
    expand="pooler.cross_attention_layer.mlp.fc1",
    contract="pooler.cross_attention_layer.mlp.fc2",
    head="classifier",
)
ENCODER = "vjepa2."


def read_vjepa2_probe(path: Path, *, number: int = 0) -> dict[str, Tensor]:
    """The weights of one probe in a `.pt` file of Meta's, under their names in memory.

    A file holds a list of probes, `classifiers`, one for each setting that was tried; the published ones hold one.
    Read without running code. Raises CheckpointError for a file of another kind and a number that is not there.
    """
    held = read_pickle(path).get("classifiers")
    if not isinstance(held, list) or not all(_is_state(each) for each in held):
        raise CheckpointError(f"{path}: no file of V-JEPA 2's probes: it has no list of weights under 'classifiers'")
    if not 0 <= number < len(held):
        raise CheckpointError(f"{path}: holds {len(held)} probes, counted from 0; there is no number {number}")
    return {key.removeprefix("module."): tensor for key, tensor in held[number].items()}


def make_vjepa2_probe(
    state: Mapping[str, Tensor], *, heads: int = META_HEADS, norm_eps: float = 1e-6
) -> AttentiveProbe:
    """The probe that these weights belong to, in evaluation state; every size is the weights', but heads have no shape.

    `norm_eps`: 1e-6 gives transformers' logits; Meta's own code has 1e-5. Raises CheckpointError as
    `load_vjepa2_probe` does.
    """
    keys = _keys_of(state)
    for needed in (keys.query, f"{keys.expand}.weight", f"{keys.head}.bias"):
        if needed not in state:
            raise CheckpointError(f"the weights have no {needed!r}, which a probe of V-JEPA 2 needs")
    width, depth = state[keys.query].shape[-1], 1
    while f"{keys.blocks.block.format(i=depth - 1)}{keys.blocks.attention_norm}.weight" in state:
        depth += 1
    probe = AttentiveProbe(
        width,
        classes=len(state[f"{keys.head}.bias"]),
        heads=heads,
        depth=depth,
        mlp_ratio=len(state[f"{keys.expand}.weight"]) / width,
        norm_eps=norm_eps,
    )
    probe.to(state[keys.query].dtype)
    load_vjepa2_probe(probe, state)
    return probe.eval()


def load_vjepa2_probe(probe: AttentiveProbe, state: Mapping[str, Tensor]) -> Report:
    """Bring a probe's weights, under Meta's names or transformers', into one of ours; an encoder's are left out.

    CheckpointError, naming the keys, where anything else is missing, is left over or has another shape.
    """
    keys = _keys_of(state)
    transfer = Transfer(probe, state)
    for key in state:
        if key.startswith(ENCODER):
            transfer.skip(key, "of the encoder")
    transfer.put("pool.query", transfer.take(keys.query).flatten(), source=keys.query)
    for i, block in enumerate(probe.pool.blocks):
        assert isinstance(block, Block)
        put_block(transfer, block, f"pool.blocks.{i}.", keys.blocks.block.format(i=i), keys.blocks)
    for kind in ("weight", "bias"):
        names = {"pool.norm": keys.norm, "pool.attend.query": keys.q, "pool.mlp_norm": keys.mlp_norm}
        names |= {"pool.mlp.expand": keys.expand, "pool.mlp.contract": keys.contract, "head": keys.head}
        for target, source in names.items():
            transfer.move(f"{source}.{kind}", f"{target}.{kind}")
        both: Shaped[Tensor, "..."] = torch.cat([transfer.take(f"{name}.{kind}") for name in keys.kv])
        transfer.put(f"pool.attend.key_value.{kind}", both, source=f"{keys.kv[0]}.{kind}")
    return transfer.finish()


def _keys_of(state: Mapping[str, Tensor]) -> ProbeKeys:
    return TRANSFORMERS if any(key.startswith("pooler.cross_attention_layer.") for key in state) else META


def _is_state(held: object) -> bool:
    return isinstance(held, dict) and all(isinstance(value, Tensor) for value in held.values())
