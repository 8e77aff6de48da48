"""separable from the paper, as loops over tokens."""

import torch


def naive(module, x):
    out = torch.zeros_like(x)
    for clip, result in zip(x.flatten(1, -2), out.flatten(1, -2), strict=True):
        scores = torch.stack([torch.exp((module.score.weight[0] * token).sum()) for token in clip])
        context = torch.zeros(x.shape[-1], dtype=x.dtype)
        for score, token in zip(scores, clip, strict=True):
            context = context + score / scores.sum() * (module.key.weight @ token + module.key.bias)
        for i, token in enumerate(clip):
            value = module.value.weight @ token + module.value.bias
            value = torch.where(value > 0, value, torch.zeros_like(value))
            result[i] = module.proj.weight @ (value * context) + module.proj.bias
    return out
