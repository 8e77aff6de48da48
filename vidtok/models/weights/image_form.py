"""Image weights in hierarchical networks: each tensor fitted to the network's layout, and inflated in time."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models.weights.report import Report
from vidtok.models.weights.transfer import Transfer
from vidtok.nn.tubelet import inflate


def fit(
    transfer: Transfer, tensor: Shaped[Tensor, "..."], shape: tuple[int, ...], *, source: str
) -> Shaped[Tensor, "..."]:
    """An image network's tensor in the shape of a parameter of ours, noting where its values changed.

        1 × 1 convolution  (o, i, 1, 1)  -> (o, i)             a linear layer
        convolution        (o, i, y, x)  -> (o, i, t, y, x)    the kernel at the middle tap, zeros elsewhere
        layer scale        (1, d, 1, 1)  -> (d,)
        bias table         (heads, 2p-1, 2p-1) -> (heads, 2pt-1, 2p'-1, 2p''-1)   the same at every distance in time

    Bias tables of another window are resized bilinearly, endpoint on endpoint. What fits nowhere comes back as it is,
    for the caller to report.
    """
    if tensor.dim() == 5 and len(shape) == 5 and tensor.shape[2] == 1 < shape[2]:
        tensor = tensor.squeeze(2)
    if tensor.dim() == 4 and len(shape) == 5:
        if shape[2] > 1:
            transfer.note_resized(source, f"inflated to {shape[2]} time steps, central")
        return inflate(tensor, shape[2])
    if tensor.dim() == 4 and len(shape) == 4 and tensor.shape[1] == 1 and tuple(tensor.shape) != shape:
        tensor = tensor.squeeze(1)
    if tensor.dim() == 3 and len(shape) == 4:
        return _fit_bias(transfer, tensor, shape, source=source)
    if tensor.dim() == 4 and len(shape) in (1, 2) and tuple(tensor.shape[2:]) == (1, 1):
        return tensor.reshape(tensor.shape[:2] if len(shape) == 2 else -1)
    return tensor


def _fit_bias(
    transfer: Transfer, table: Float[Tensor, "heads y x"], shape: tuple[int, ...], *, source: str
) -> Float[Tensor, "heads t y2 x2"]:
    _, steps, *extents = shape
    if list(table.shape[1:]) != extents:
        transfer.note_resized(source, f"bias table {table.shape[1]} × {table.shape[2]} -> {extents[0]} × {extents[1]}")
        table = F.interpolate(table[None], size=extents, mode="bilinear", align_corners=True)[0]
    elif steps > 1:
        transfer.note_resized(source, f"bias table repeated at {steps} distances in time")
    return table[:, None].expand(-1, steps, -1, -1)


def load_renamed(
    network: nn.Module,
    state: Mapping[str, Tensor],
    *,
    rename: Callable[[str], str | None],
    relayout: Callable[[str, Shaped[Tensor, "..."]], Shaped[Tensor, "..."]] = lambda key, tensor: tensor,
    changed: Mapping[str, str] | None = None,
    skip: Mapping[str, str] | None = None,
) -> Report:
    """Bring every key of `state` to the parameter that `rename` names, fitted to it.

    `rename` gives None for keys that it does not know. `relayout` brings a tensor into our order; where it changes
    values, `changed` says how. Keys of `skip` are left out, with the reason given there. A head (`head.…`,
    `dist_head.…`) for another number of classes is left out too, and the network's keeps its start.
    Raises CheckpointError, naming the keys, for everything else that does not fit, and for parameters that get nothing.
    """
    transfer = Transfer(network, state)
    may_miss = []
    for name, buffer in network.named_buffers():
        if name.endswith("num_batches_tracked"):  # a counter that has no effect here: weights may lack it
            transfer.put(name, buffer, source=name)
    for key in state:
        target = rename(key)
        if skip is not None and key in skip:
            transfer.skip(key, skip[key])
        elif target is not None and (shape := transfer.wants(target)) is not None:
            if target.startswith(("head.", "dist_head.")) and tuple(state[key].shape) != shape:
                transfer.skip(key, f"a head of {len(state[key])} classes; the network's is {shape}")
                may_miss.append(target)
            else:
                tensor = relayout(key, transfer.take(key))
                if changed is not None and key in changed:
                    transfer.note_resized(key, changed[key])
                transfer.put(target, fit(transfer, tensor, shape, source=key), source=key)
    return transfer.finish(may_miss=may_miss)


# Where training code of the field keeps the weights, averaged ones first.
TRAINING_KEYS = ("ema", "model_ema", "state_dict_ema", "model", "module", "state_dict", "model_state")


def unwrap(state: Mapping[str, object], *, where: str) -> dict[str, Tensor]:
    """The tensors of a training checkpoint: those under the first of `TRAINING_KEYS` that holds any, else its own."""
    while wrapped := [inner for name in TRAINING_KEYS if isinstance(inner := state.get(name), Mapping) and inner]:
        state = wrapped[0]
    wrong = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if wrong:
        raise CheckpointError(f"{where}: these entries are no tensors: {', '.join(map(str, wrong[:5]))}")
    return {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
