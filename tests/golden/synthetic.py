"""Synthetic weights of the golden cases: a key and the case's seed start the generator that draws its array."""

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

# Constants of the official networks, which the recipe does not draw.
CONSTANT = re.compile(r"(fold\.weights|num_batches_tracked|relative_position_index)$")
# The ends of residual branches, which the recipe makes smaller so that depth does not blow activations up.
SMALLER = re.compile(
    r"(pos_embed\.conv|mlp2?\.conv\.conv|mlp2?\.fc2|local_perception\.network\.4|[0-9]\.attn\.proj)\.weight$"
)


def synthetic_array(key: str, shape: Sequence[int], seed: int, layout: str) -> np.ndarray:
    """The values of one key, float32. `layout`: "torch" (out, in / groups, …) or "flax" (…, in, out)."""
    shape = tuple(shape)
    generator = np.random.default_rng([zlib.crc32(key.encode()), seed])
    last = key.replace("/", ".").split(".")[-1]
    if last == "running_var":
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    normal = generator.standard_normal(shape, dtype=np.float32)
    if last.startswith("gamma"):
        values = 0.5 + 0.1 * normal
    elif last == "scale" or (last == "weight" and len(shape) == 1):
        values = 1.0 + 0.1 * normal
    elif last == "kernel":
        if layout != "flax":
            raise ValueError(f"{key}: a kernel belongs to the flax layout, not to {layout}")
        into_heads = re.search(r"(query|key|value)/kernel$", key)
        values = normal / np.sqrt(float(shape[0] if into_heads else np.prod(shape[:-1])))
    elif last == "weight":
        if layout != "torch":
            raise ValueError(f"{key}: a weight belongs to the torch layout, not to {layout}")
        gain = 0.3 if SMALLER.search(key) else 1.0
        values = gain * normal / np.sqrt(float(np.prod(shape[1:])))
    else:
        values = 0.1 * normal
    return np.asarray(values, np.float32)


def synthetic_state(shapes: Mapping[str, Sequence[int]], seed: int, layout: str) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint, from its keys and shapes."""
    return {key: synthetic_array(key, shape, seed, layout) for key, shape in shapes.items() if not CONSTANT.search(key)}


def weights_check(state: Mapping[str, np.ndarray]) -> list[float]:
    """Number of values, their sum and the sum of their squares, in float64."""
    arrays = [np.asarray(state[key], np.float64) for key in sorted(state)]
    return [
        float(sum(a.size for a in arrays)),
        float(sum(a.sum() for a in arrays)),
        float(sum((a * a).sum() for a in arrays)),
    ]
