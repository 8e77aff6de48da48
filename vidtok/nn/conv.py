"""Convolutional pieces on the token grid `b t h w d`: convolution, batch norm, squeeze-and-excitation."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis, so that `ceil(size / stride)` results come out (TensorFlow's SAME).

    The odd zero stands after: a 3-wide kernel of stride 2 on an even size is padded (0, 1), not (1, 1).
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


# These two stand around every convolution and batch norm of a network. They are no einops because torch.compile traces
# those three times as long (a network of 5 CAS-ViT blocks: 10 s against 3 s), and they leave channels last in memory.
def as_pictures(x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "n d h w"]:
    """b t h w d -> (b t) d h w"""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def as_grid(x: Float[Tensor, "n d h w"], *, steps: int) -> Float[Tensor, "b t h w d"]:
    """(b t) d h w -> b t h w d"""
    return x.permute(0, 2, 3, 1).unflatten(0, (-1, steps))


def clip_grid(clip: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b f y x c"]:
    """A clip as the grid that a convolutional network begins with, channels last in memory as well.

    Convolution, batch norm and the sum of a residual keep the order of their input, and where that is not the order
    which every linear layer and layer norm gives, each block copies its tokens to and fro.
    """
    return rearrange(clip, "b f c y x -> b f y x c").contiguous()


class GridConv(nn.Conv3d):
    """Convolution with a `(kt, kh, kw)` kernel of odd extents on a grid whose channels come last.

    Zero padding: half the kernel on every side; with `same`, TensorFlow's SAME in space instead.
    It is computed as a sum of `kt` two-dimensional convolutions, which equals the three-dimensional one and is up to
    four times as fast on processors (a `kt` of one is exactly the image convolution on every time step). Weights have
    `nn.Conv3d`'s shape, `(out, in / groups, kt, kh, kw)`, and its initialisation.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        kernel: tuple[int, int, int] = (1, 3, 3),
        stride: tuple[int, int, int] = (1, 1, 1),
        groups: int = 1,
        bias: bool = True,
        same: bool = False,
    ):
        if any(extent < 1 or extent % 2 == 0 for extent in kernel):
            raise ModelError(f"a kernel needs odd extents (time, rows, columns), got {kernel}")
        super().__init__(width_in, width_out, kernel, stride=stride, groups=groups, bias=bias)
        self.same = same

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        return self.by(self.weight, x)

    def by(
        self, kernels: Float[Tensor, "d_out g kt kh kw"], x: Float[Tensor, "b t h w d"]
    ) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        """The same convolution by other weights."""
        (kt, kh, kw), (st, sh, sw) = self.kernel_size, self.stride
        steps = (x.shape[1] - 1) // st + 1
        if self.same:
            padding = (0, 0)
            x = F.pad(x, (0, 0, *same_padding(x.shape[3], kw, sw), *same_padding(x.shape[2], kh, sh)))
        else:
            padding = (kh // 2, kw // 2)
        if kt > 1:
            x = F.pad(x, (0, 0, 0, 0, 0, 0, kt // 2, kt // 2))
        y = None
        for tap in range(kt):
            seen = as_pictures(x[:, tap : tap + (steps - 1) * st + 1 : st])
            # The gradient of an index is a copy among zeros, that of an axis gone is none.
            weight = kernels.squeeze(2) if kt == 1 else kernels[:, :, tap]
            bias = self.bias if tap == 0 else None
            part = F.conv2d(seen, weight, bias, stride=(sh, sw), padding=padding, groups=self.groups)
            y = part if y is None else y + part
        assert y is not None
        return as_grid(y, steps=steps)


def depthwise(width: int, *, temporal_kernel: int) -> GridConv:
    """A `(temporal_kernel, 3, 3)` convolution that keeps every channel to itself."""
    return GridConv(width, width, kernel=(temporal_kernel, 3, 3), groups=width)


class AddedDepthwise(nn.Module):
    """x + depthwise(x): conditional positions (Chu et al., arXiv 2102.10882) and the convolution of STViT's MLP.

    In whole precision the sum is 1 more in the middle of each kernel, which saves two passes over the grid, one forward
    and one backward. Where weights are rounded to 8 or 11 bits, 1 would take theirs away, and it is a sum.
    """

    def __init__(self, width: int, *, temporal_kernel: int):
        super().__init__()
        self.conv = depthwise(width, temporal_kernel=temporal_kernel)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        weight = self.conv.weight
        kind = x.device.type
        half = kind != "meta" and torch.is_autocast_enabled(kind)
        if half or weight.dtype not in (torch.float32, torch.float64):
            return x + self.conv(x)
        kt, kh, kw = self.conv.kernel_size
        one = F.pad(weight.new_ones(1, 1, 1, 1, 1), (kw // 2, kw // 2, kh // 2, kh // 2, kt // 2, kt // 2))
        return self.conv.by(weight + one, x)


class GridBatchNorm(nn.Module):
    """Batch norm over clips, time steps, rows and columns of a grid whose channels come last."""

    def __init__(self, width: int, *, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.norm = nn.BatchNorm2d(width, eps=eps, momentum=momentum)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return as_grid(self.norm(as_pictures(x)), steps=x.shape[1])


class SqueezeExcite(nn.Module):
    """Channel gates from pooled features: `x · sigmoid(W₂ silu(W₁ pool(x)))` (Hu et al., arXiv 1709.01507, section 3).

    Differs from the paper in SiLU instead of ReLU, as MBConv has it. The pool is over the clip, or over each time step.
    """

    def __init__(self, width: int, *, hidden: int, per_time_step: bool = False):
        super().__init__()
        self.pooled = (2, 3) if per_time_step else (1, 2, 3)
        self.reduce = nn.Linear(width, hidden)
        self.expand = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return x * self.gate(x)

    def gate(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b u 1 1 d"]:
        """What each channel is multiplied by."""
        return self.expand(F.silu(self.reduce(x.mean(self.pooled, keepdim=True)))).sigmoid()
