"""multi_axis from its definition: each token attends to the real tokens whose window number equals its own."""

import math

import torch


def naive(module, x):
    clips, *grid, width = x.shape
    heads, dh = module.heads, width // module.heads
    rows = x @ module.qkv.weight.T + module.qkv.bias
    q, k, v = rows[..., :width], rows[..., width : 2 * width], rows[..., 2 * width :]
    places = [(t, h, w) for t in range(grid[0]) for h in range(grid[1]) for w in range(grid[2])]

    def window_and_position(place):
        window, position = [], []
        for at, size, extent in zip(place, grid, module.window, strict=True):
            windows = math.ceil(size / extent)
            window.append(at // extent if module.partition == "block" else at % windows)
            position.append(at % extent if module.partition == "block" else at // windows)
        return window, position

    out = torch.zeros_like(x)
    for clip in range(clips):
        for head in range(heads):
            part = slice(head * dh, (head + 1) * dh)
            for i in places:
                window, (ti, hi, wi) = window_and_position(i)
                scores, values = [], []
                for j in places:
                    other, (tj, hj, wj) = window_and_position(j)
                    if other == window:
                        pt, ph, pw = module.window
                        bias = module.bias[head, tj - ti + pt - 1, hj - hi + ph - 1, wj - wi + pw - 1]
                        scores.append((q[clip][i][part] * k[clip][j][part]).sum() / math.sqrt(dh) + bias)
                        values.append(v[clip][j][part])
                weights = torch.exp(torch.stack(scores))
                weights = weights / weights.sum()
                out[clip][i][part] = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return out @ module.proj.weight.T + module.proj.bias
