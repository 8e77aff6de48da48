"""super_token from the paper, as loops over tokens and their neighbouring cells."""

import itertools
import math

import torch

from tests.references.mhsa import naive as attend


def naive(module, x):
    return torch.stack([one_clip(module, clip) for clip in x])


def one_clip(module, x):
    *grid, width = x.shape
    (st, sh, sw), (steps, rows, columns) = module.cells, grid
    cells = [math.ceil(size / extent) for size, extent in zip(grid, module.cells, strict=True)]
    all_cells = list(itertools.product(*(range(n) for n in cells)))
    zero = torch.zeros(width, dtype=x.dtype)

    # Rows and columns are filled up with zero tokens; time steps are not.
    tokens = {}
    for t, h, w in itertools.product(range(steps), range(cells[1] * sh), range(cells[2] * sw)):
        tokens[t, h, w] = x[t, h, w] if h < rows and w < columns else zero

    members = {cell: [] for cell in all_cells}
    for t, h, w in tokens:
        members[t // st, h // sh, w // sw].append((t, h, w))
    supers = {cell: sum(tokens[place] for place in members[cell]) / len(members[cell]) for cell in all_cells}

    for _ in range(module.iterations):
        shares, mass = {}, dict.fromkeys(all_cells, 0.0)
        for cell in all_cells:
            near = [tuple(c + o for c, o in zip(cell, offset, strict=True)) for offset in offsets()]
            near = [cell for cell in near if 0 <= cell[0] < cells[0]]
            for place in members[cell]:
                logits = torch.stack([(tokens[place] * supers.get(n, zero)).sum() / math.sqrt(width) for n in near])
                weights = torch.exp(logits) / torch.exp(logits).sum()
                for neighbour, weight in zip(near, weights, strict=True):
                    if neighbour in supers:
                        shares[place, neighbour] = weight
                        mass[neighbour] = mass[neighbour] + weight
        gathered = dict.fromkeys(all_cells, zero)
        for (place, neighbour), weight in shares.items():
            gathered[neighbour] = gathered[neighbour] + weight * tokens[place]
        supers = {cell: gathered[cell] / (mass[cell] + 1e-12) for cell in all_cells}

    refined = attend(module.refine, torch.stack([supers[cell] for cell in all_cells])[None])[0]
    refined = dict(zip(all_cells, refined, strict=True))
    out = torch.zeros_like(x)
    for ((t, h, w), neighbour), weight in shares.items():
        if h < rows and w < columns:
            out[t, h, w] = out[t, h, w] + weight * refined[neighbour]
    return out


def offsets():
    return itertools.product((-1, 0, 1), repeat=3)
