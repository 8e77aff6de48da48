"""efficient_additive from the paper (with the unit lengths of the authors' code), as loops over tokens."""

import torch


def unit(vector):
    return vector / torch.sqrt((vector * vector).sum())


def naive(module, x):
    out = torch.zeros_like(x)
    for clip, result in zip(x.flatten(1, -2), out.flatten(1, -2), strict=True):
        queries = [unit(module.query.weight @ token + module.query.bias) for token in clip]
        keys = [unit(module.key.weight @ token + module.key.bias) for token in clip]
        scores = unit(torch.stack([(query * module.score.weight[0]).sum() / x.shape[-1] ** 0.5 for query in queries]))
        together = sum(score * query for score, query in zip(scores, queries, strict=True))
        for i, (query, key) in enumerate(zip(queries, keys, strict=True)):
            mixed = module.transform.weight @ (key * together) + module.transform.bias + query
            result[i] = module.proj.weight @ mixed + module.proj.bias
    return out
