"""mhsa from its definition: for each query, the softmax over the keys that it may see, as plain loops."""

import math

import torch


def naive(module, x):
    clips, *axes, width = x.shape
    heads, dh = module.heads, width // module.heads
    tokens = x.reshape(clips, -1, width)
    n = tokens.shape[1]
    rows = tokens @ module.qkv.weight.T
    if module.qkv.bias is not None:
        rows = rows + module.qkv.bias
    if module.q_bias is not None:
        rows = rows + torch.cat([module.q_bias, torch.zeros(width, dtype=x.dtype), module.v_bias])
    q, k, v = rows[..., :width], rows[..., width : 2 * width], rows[..., 2 * width :]
    places = list(torch.cartesian_prod(*(torch.arange(e) for e in axes)).reshape(n, -1))
    out = torch.zeros_like(tokens)
    for b in range(clips):
        for head in range(heads):
            part = slice(head * dh, (head + 1) * dh)
            looks = module.axes
            if looks == "split":
                looks = "time" if head < heads // 2 else "space"
            for i in range(n):
                seen = []
                for j in range(n):
                    if (
                        looks == "joint"
                        or (looks == "time" and torch.equal(places[i][1:], places[j][1:]))
                        or (looks == "space" and places[i][0] == places[j][0])
                    ):
                        seen.append(j)
                scores = torch.stack([(q[b, i, part] * k[b, j, part]).sum() / math.sqrt(dh) for j in seen])
                weights = torch.exp(scores - scores.max())
                weights = weights / weights.sum()
                for weight, j in zip(weights, seen, strict=True):
                    out[b, i, part] += weight * v[b, j, part]
    return (out @ module.projection.weight.T + module.projection.bias).reshape(x.shape)
