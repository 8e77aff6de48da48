"""conv_additive from the paper, as loops over tokens."""

import itertools

import torch


def naive(module, x):
    return torch.stack([one_clip(module, clip) for clip in x])


def one_clip(module, x):
    width = x.shape[-1]
    q, k, v = (x @ module.qkv.weight[i * width : (i + 1) * width].T for i in range(3))
    added = gated(module.gate_q, q) + gated(module.gate_k, k)
    return convolved(module.proj, convolved(module.context, added) * v)


def gated(gates, x):
    spatial, channel = gates
    norm = spatial.norm.norm
    y = convolved(spatial.conv, x)
    y = (y - norm.running_mean) / torch.sqrt(norm.running_var + norm.eps) * norm.weight + norm.bias
    y = torch.where(y > 0, y, torch.zeros_like(y)) @ spatial.score.weight.T
    x = x / (1 + torch.exp(-y))
    steps, rows, columns, _ = x.shape
    per_step = channel.pooled == (2, 3)
    out = torch.zeros_like(x)
    for t in range(steps):
        pooled_steps = [t] if per_step else list(range(steps))
        total = sum(x[s, h, w] for s in pooled_steps for h in range(rows) for w in range(columns))
        pooled = total / (len(pooled_steps) * rows * columns)
        out[t] = x[t] / (1 + torch.exp(-(channel.score.weight @ pooled)))
    return out


def convolved(conv, x):
    """Each channel by itself: the sum over the kernel of weight times the token there, zero outside the clip."""
    extents = conv.weight.shape[2:]
    out = torch.zeros_like(x)
    for place in itertools.product(*(range(n) for n in x.shape[:3])):
        total = conv.bias.clone()
        for tap in itertools.product(*(range(n) for n in extents)):
            seen = tuple(at + i - n // 2 for at, i, n in zip(place, tap, extents, strict=True))
            if all(0 <= at < n for at, n in zip(seen, x.shape[:3], strict=True)):
                total = total + conv.weight[:, 0][(slice(None), *tap)] * x[seen]
        out[place] = total
    return out
