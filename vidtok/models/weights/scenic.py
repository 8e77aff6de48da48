"""Weights of scenic's ViViT and TokenLearner, a flat dictionary with keys such as `Transformer/encoder_norm/scale`.

Source: google-research/scenic, projects/vivit and projects/token_learner. Layouts: a dense kernel is (in, out), a
convolution's (…, in, out), query, key and value are (d, heads, d / heads), out is (heads, d / heads, d).
"""

import re
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_blocks import check_heads
from vidtok.models.weights.vit_parts import put_class_token, put_kernel, put_positions
from vidtok.nn.encoder import Encoder
from vidtok.nn.mixers.mhsa import MHSA
from vidtok.nn.position import Grid
from vidtok.nn.token_learner import TokenFuser, TokenLearner
from vidtok.nn.tubelet import Inflation


def load_scenic(
    module: ViViT | FactorisedEncoderViViT | TokenLearner | TokenFuser,
    arrays: Mapping[str, Tensor],
    *,
    inflation: Inflation = "central",
    source_grid: Grid | None = None,
    zero_time_attention: bool = False,
) -> Report:
    """Bring scenic's weights into a network, or into a TokenLearner or TokenFuser alone.

    Every model of ViViT fits itself. A picture's ViT fits every one: its kernel is inflated, its positions are resized
    and repeated; attention over time (Model 3) starts as the attention over space, or with `zero_time_attention` with a
    zero projection, so that it adds nothing at first (the paper's choice, section 3.4); the time encoder (Model 2),
    TokenLearner and a head of another width keep their start. `source_grid`: the grid that positions were made on, by
    default the network's, or for a picture's a square (see `grid_of_positions`). Raises CheckpointError, naming the
    keys, for everything else that does not fit: another number of heads too.
    """
    transfer = Transfer(module, arrays)
    if isinstance(module, TokenLearner):
        _token_learner(transfer, "", "", module.version)
        return transfer.finish()
    if isinstance(module, TokenFuser):
        _token_fuser(transfer, "", "", module.use_normalization)
        return transfer.finish()
    kernel = transfer.take("embedding/kernel")
    picture = kernel.dim() == 4
    put_kernel(
        transfer,
        _convolution(kernel),
        bias=transfer.take("embedding/bias"),
        source="embedding/kernel",
        inflation=inflation,
    )
    may_miss = ["head.logits."]
    if isinstance(module, ViViT):
        if any(key.startswith("SpatialTransformer/") for key in arrays):
            raise CheckpointError("these are weights of a factorised encoder: build the network vivit_factorised")
        _encoder(
            transfer,
            module.encoder,
            "encoder.",
            "Transformer/",
            "cls",
            picture=picture,
            source_grid=source_grid,
            zero_time_attention=zero_time_attention,
        )
        _norm(transfer, "Transformer/encoder_norm", "pool.norm")
        parts = ("token_learners", "token_fusers", "class_token", "time_position")
        may_miss += [f"encoder.{part}." for part in parts]
    else:
        may_miss += _factorised(transfer, module, source_grid)
    if transfer.wants("head.pre_logits.weight") is not None:
        _dense(transfer, "pre_logits", "head.pre_logits")
    _head(transfer)
    return transfer.finish(may_miss=may_miss)


def _factorised(transfer: Transfer, module: FactorisedEncoderViViT, source_grid: Grid | None) -> list[str]:
    own = any(key.startswith("SpatialTransformer/") for key in transfer.state)
    space, token = ("SpatialTransformer/", "cls_SpatialTransformer") if own else ("Transformer/", "cls")
    # Each time step has positions of its own places alone, as a picture has; the time encoder's are of the steps.
    space_grid = None if source_grid is None else (1, *source_grid[1:])
    picture = not own and transfer.state["embedding/kernel"].dim() == 4
    _encoder(transfer, module.space, "space.", space, token, picture=picture, source_grid=space_grid)
    _norm(transfer, f"{space}encoder_norm", "space_pool.norm")
    may_miss = ["space.token_learners.", "space.token_fusers."]
    if not own:
        return [*may_miss, "time.", "time_pool.", "space.class_token."]
    layers = time_depth(transfer.state)
    have = 0 if module.time is None else len(module.time.blocks)
    if layers != have:
        raise CheckpointError(f"the weights' time encoder has {layers} blocks, the network's {have}: set `time_depth`")
    if module.time is not None:
        steps = transfer.state["TemporalTransformer/posembed_input/pos_embedding"].shape[1]
        steps -= transfer.has("cls_TemporalTransformer")
        if source_grid is not None and source_grid[0] != steps:
            raise CheckpointError(
                f"TemporalTransformer/posembed_input/pos_embedding: {steps} time steps, not the {source_grid[0]} of "
                f"source_grid={source_grid}"
            )
        _encoder(
            transfer,
            module.time,
            "time.",
            "TemporalTransformer/",
            "cls_TemporalTransformer",
            picture=False,
            source_grid=(steps, 1, 1),
        )
        _norm(transfer, "TemporalTransformer/encoder_norm", "time_pool.norm")
    return may_miss


def time_depth(arrays: Mapping[str, object]) -> int:
    """Blocks of the time encoder that these weights hold (published files hold more than their configurations say)."""
    found = [re.match(r"TemporalTransformer/encoderblock_(\d+)/", key) for key in arrays]
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def scenic_heads(arrays: Mapping[str, Tensor], prefix: str) -> int | None:
    """Attention heads of the encoder with this beginning of its keys; None where there are no blocks."""
    queries = re.compile(re.escape(prefix) + r"encoderblock_0/MultiHeadDotProductAttention_\w+/query/kernel")
    return next((tensor.shape[1] for key, tensor in arrays.items() if queries.fullmatch(key)), None)


def _encoder(
    transfer: Transfer,
    encoder: Encoder,
    target: str,
    source: str,
    token: str,
    *,
    picture: bool,
    source_grid: Grid | None,
    zero_time_attention: bool = False,
) -> None:
    heads = scenic_heads(transfer.state, source)
    check_heads(encoder, heads, option="time_heads" if target == "time." else "heads")
    put_class_token(transfer, token, prefix=target)
    key = f"{source}posembed_input/pos_embedding"
    put_positions(
        transfer,
        transfer.take(key)[0],
        source=key,
        class_row=transfer.has(token),
        picture=picture,
        prefix=target,
        grid=encoder.grid,
        source_grid=source_grid,
    )
    for i, block in enumerate(encoder.blocks):
        _block(transfer, block, f"{target}blocks.{i}.", f"{source}encoderblock_{i}/", zero_time_attention)
    for k, learner in enumerate(encoder.token_learners):
        assert isinstance(learner, TokenLearner)
        name = "TokenLearnerModuleV11" if learner.version == "1.1" else "TokenLearnerModule"
        if any(key.startswith(f"{source}{name}_{k}/") for key in transfer.state):
            _token_learner(transfer, f"{target}token_learners.{k}.", f"{source}{name}_{k}/", learner.version)
    for k, fuser in enumerate(encoder.token_fusers):
        assert isinstance(fuser, TokenFuser)
        if any(key.startswith(f"{source}TokenFuser_{k}/") for key in transfer.state):
            name = f"TokenFuser_{k}/"
            _token_fuser(transfer, f"{target}token_fusers.{k}.", f"{source}{name}", fuser.use_normalization)


def _block(transfer: Transfer, block: nn.Module, target: str, source: str, zero_time_attention: bool) -> None:
    mixers = block.get_submodule("mixers")
    assert isinstance(mixers, nn.ModuleList)
    own = transfer.has(f"{source}LayerNorm_mlp/scale")
    for j, mixer in enumerate(mixers):
        if not isinstance(mixer, MHSA):
            raise CheckpointError(
                f"{source}: attention does not fit the mixer {type(mixer).__name__} of {target}mixers.{j}"
            )
        if own:
            if mixer.axes not in ("time", "space"):
                raise CheckpointError(
                    f"{source}: attention over time and over space does not fit mhsa with axes={mixer.axes}: "
                    "set `mixer`=[[{name: mhsa, axes: space}, {name: mhsa, axes: time}]]"
                )
            attention, norm = f"{source}MultiHeadDotProductAttention_{mixer.axes}", f"{source}LayerNorm_{mixer.axes}"
        else:
            attention, norm = f"{source}MultiHeadDotProductAttention_0", f"{source}LayerNorm_0"
        _norm(transfer, norm, f"{target}norms.{j}")
        _attention(transfer, attention, f"{target}mixers.{j}", zero=zero_time_attention and mixer.axes == "time")
    _norm(transfer, f"{source}LayerNorm_{'mlp' if own else '1'}", f"{target}mlp_norm")
    _mlp(transfer, f"{source}MlpBlock{'' if own else '_0'}", f"{target}mlp")


def _attention(transfer: Transfer, source: str, target: str, *, zero: bool) -> None:
    rows, bias = [], []
    for part in ("query", "key", "value"):
        rows.append(transfer.take(f"{source}/{part}/kernel").flatten(1).T)
        bias.append(transfer.take(f"{source}/{part}/bias").flatten())
    transfer.put(f"{target}.qkv.weight", torch.cat(rows), source=f"{source}/query/kernel")
    transfer.put(f"{target}.qkv.bias", torch.cat(bias), source=f"{source}/query/bias")
    kernel, out_bias = transfer.take(f"{source}/out/kernel").flatten(0, 1).T, transfer.take(f"{source}/out/bias")
    transfer.put(f"{target}.projection.weight", kernel * (not zero), source=f"{source}/out/kernel")
    transfer.put(f"{target}.projection.bias", out_bias * (not zero), source=f"{source}/out/bias")


def _mlp(transfer: Transfer, source: str, target: str) -> None:
    _dense(transfer, f"{source}/Dense_0", f"{target}.expand")
    _dense(transfer, f"{source}/Dense_1", f"{target}.contract")


def _dense(transfer: Transfer, source: str, target: str) -> None:
    transfer.put(f"{target}.weight", transfer.take(f"{source}/kernel").T, source=f"{source}/kernel")
    transfer.move(f"{source}/bias", f"{target}.bias")


def _norm(transfer: Transfer, source: str, target: str) -> None:
    transfer.move(f"{source}/scale", f"{target}.weight")
    transfer.move(f"{source}/bias", f"{target}.bias")


def _token_learner(transfer: Transfer, target: str, source: str, version: str) -> None:
    _norm(transfer, f"{source}LayerNorm_0", f"{target}norm")
    if version == "1.1":
        _mlp(transfer, f"{source}token_masking", f"{target}weigh")
        return
    for k in range(4):
        key = f"{source}Conv_{k}/kernel"
        transfer.put(f"{target}weigh.{2 * k}.weight", _convolution(transfer.take(key)), source=key)


def _token_fuser(transfer: Transfer, target: str, source: str, normalised: bool) -> None:
    if normalised:
        _norm(transfer, f"{source}fuser_mix_norm1", f"{target}before")
        _norm(transfer, f"{source}fuser_mix_norm2", f"{target}behind")
    _dense(transfer, f"{source}Dense_0", f"{target}mix")
    _norm(transfer, f"{source}LayerNorm_0", f"{target}norm")
    _mlp(transfer, f"{source}token_masking", f"{target}weigh")


def _convolution(kernel: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """(…, in, out) to (out, in, …)."""
    last = kernel.dim() - 1
    return kernel.permute(last, last - 1, *range(last - 1))


def _head(transfer: Transfer) -> None:
    """The last layer where its width fits; a head for other classes is left out."""
    if not transfer.has("output_projection/kernel"):
        return
    kernel = transfer.state["output_projection/kernel"].T
    if tuple(kernel.shape) == transfer.wants("head.logits.weight"):
        _dense(transfer, "output_projection", "head.logits")
    else:
        why = f"a head of {len(kernel)} classes; the network's is {transfer.wants('head.logits.weight')}"
        transfer.skip("output_projection/kernel", why)
        transfer.skip("output_projection/bias", why)
