"""CAS-ViT and STViT by the papers' own steps with plain convolutions, `unfold` and `fold`: peers of bench_models.

No library has a form of these two on pictures; this is how their users run them, with channels first.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(width_in: int, width: int, extent: int = 1, *, stride: int = 1, groups: int = 1, bias: bool = True):
    return nn.Conv2d(width_in, width, extent, stride=stride, padding=extent // 2, groups=groups, bias=bias)


class CASGate(nn.Module):
    """x · sigmoid(w relu(BN(DWConv(x)))), then x · sigmoid(W mean(x)) (arXiv 2408.03703, section 3.2)."""

    def __init__(self, width: int):
        super().__init__()
        self.around, self.norm = conv(width, width, 3, groups=width), nn.BatchNorm2d(width)
        self.score = conv(width, 1, bias=False)
        self.channels = conv(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.score(F.relu(self.norm(self.around(x)))).sigmoid()
        return x * self.channels(F.adaptive_avg_pool2d(x, 1)).sigmoid()


class CASMixer(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.qkv = conv(width, 3 * width, bias=False)
        self.q, self.k = CASGate(width), CASGate(width)
        self.context, self.proj = conv(width, width, 3, groups=width), conv(width, width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=1)
        return self.proj(self.context(self.q(q) + self.k(k)) * v)


class CASBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.local = nn.Sequential(
            conv(width, width),
            nn.BatchNorm2d(width),
            conv(width, width, 3, groups=width),
            nn.GELU(),
            conv(width, width),
        )
        self.mixer_norm, self.mixer, self.mlp_norm = nn.BatchNorm2d(width), CASMixer(width), nn.BatchNorm2d(width)
        self.mlp = nn.Sequential(conv(width, 4 * width), nn.GELU(), conv(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.local(x)
        x = x + self.mixer(self.mixer_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class PlainCASViT(nn.Module):
    """CAS-ViT on pictures with channels first."""

    def __init__(self, *, classes: int, widths: tuple[int, ...], depths: tuple[int, ...]):
        super().__init__()
        half, first = widths[0] // 2, widths[0]
        self.stem = nn.Sequential(
            *(conv(3, half, 3, stride=2), nn.BatchNorm2d(half), nn.ReLU()),
            *(conv(half, first, 3, stride=2), nn.BatchNorm2d(first), nn.ReLU()),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(CASBlock(width) for _ in range(depth))) for width, depth in zip(widths, depths, strict=True)
        )
        self.downsamples = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, stride=2), nn.BatchNorm2d(b)) for a, b in itertools.pairwise(widths)
        )
        self.norm, self.head = nn.BatchNorm2d(widths[-1]), nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages[0](self.stem(x))
        for downsample, stage in zip(self.downsamples, self.stages[1:], strict=True):
            x = stage(downsample(x))
        return self.head(self.norm(x).mean((2, 3)))


class Added(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = conv(width, width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


class Attention2d(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = conv(width, 3 * width), conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, d, h, w = x.shape
        q, k, v = self.qkv(x).reshape(b, 3, self.heads, d // self.heads, h * w).unbind(1)
        weights = (k.transpose(-1, -2) @ q * (d // self.heads) ** -0.5).softmax(dim=-2)
        return self.proj((v @ weights).reshape(b, d, h, w))


class SuperTokens2d(nn.Module):
    """Super-token attention with `unfold` and `fold` over the nine neighbours (arXiv 2211.11167, section 3.2)."""

    def __init__(self, width: int, heads: int, cell: int):
        super().__init__()
        self.cell, self.refine = cell, Attention2d(width, heads)

    def forward(self, x: Tensor) -> Tensor:
        (b, d, h0, w0), c = x.shape, self.cell
        if c == 1:
            return self.refine(x)
        x = F.pad(x, (0, -w0 % c, 0, -h0 % c))
        h, w = x.shape[2] // c, x.shape[3] // c
        tokens = x.reshape(b, d, h, c, w, c).permute(0, 2, 4, 3, 5, 1).reshape(b, h * w, c * c, d)
        with torch.no_grad():
            supers = F.adaptive_avg_pool2d(x, (h, w))
            near = F.unfold(supers, 3, padding=1).reshape(b, d, 9, h * w).permute(0, 3, 1, 2)
            affinity = (tokens @ near * d**-0.5).softmax(-1)
            mass = self._fold(affinity.sum(2).transpose(1, 2).reshape(b, 9, h * w), (h, w))
        given = (tokens.transpose(-1, -2) @ affinity).permute(0, 2, 3, 1).reshape(b, d * 9, h * w)
        supers = self.refine(self._fold(given, (h, w)) / (mass + 1e-12))
        near = F.unfold(supers, 3, padding=1).reshape(b, d, 9, h * w).permute(0, 3, 1, 2)
        y = near @ affinity.transpose(-1, -2)
        y = y.reshape(b, h, w, d, c, c).permute(0, 3, 1, 4, 2, 5).reshape(b, d, h * c, w * c)
        return y[:, :, :h0, :w0]

    @staticmethod
    def _fold(given: Tensor, size: tuple[int, int]) -> Tensor:
        return F.fold(given, size, 3, padding=1)


class SuperTokenBlock(nn.Module):
    def __init__(self, width: int, heads: int, cell: int):
        super().__init__()
        self.position = Added(width)
        self.mixer_norm = nn.LayerNorm(width, eps=1e-6)
        self.mixer = SuperTokens2d(width, heads, cell)
        self.mlp_norm = nn.BatchNorm2d(width)
        self.expand, self.added, self.contract = conv(width, 4 * width), Added(4 * width), conv(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.position(x)
        x = x + self.mixer(self.mixer_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return x + self.contract(self.added(F.gelu(self.expand(self.mlp_norm(x)))))


class PlainSTViT(nn.Module):
    """STViT on pictures with channels first."""

    def __init__(self, *, classes: int, widths, depths, heads, cells, projection: int = 1024):
        super().__init__()
        half, first = widths[0] // 2, widths[0]
        self.stem = nn.Sequential()
        for a, b, stride in ((3, half, 2), (half, half, 1), (half, first, 2), (first, first, 1)):
            self.stem.extend([conv(a, b, 3, stride=stride), nn.GELU(), nn.BatchNorm2d(b)])
        sizes = zip(widths, depths, heads, cells, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*(SuperTokenBlock(width, count, cell[1]) for _ in range(depth)))
            for width, depth, count, cell in sizes
        )
        self.downsamples = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, stride=2), nn.BatchNorm2d(b)) for a, b in itertools.pairwise(widths)
        )
        self.projection, self.norm = conv(widths[-1], projection), nn.BatchNorm2d(projection)
        self.head = nn.Linear(projection, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages[0](self.stem(x))
        for downsample, stage in zip(self.downsamples, self.stages[1:], strict=True):
            x = stage(downsample(x))
        return self.head(F.silu(self.norm(self.projection(x))).mean((2, 3)))


def take_in_order(peer: nn.Module, network: nn.Module) -> None:
    """The network's weights into a peer that is written here, whose layers stand in the same order."""
    own, theirs = network.state_dict(), peer.state_dict()
    assert len(own) == len(theirs), (len(own), len(theirs))
    pairs = zip(theirs.items(), own.values(), strict=True)
    peer.load_state_dict({key: value.reshape(wanted.shape) for (key, wanted), value in pairs})
