"""Clips by the rules of VideoMAE and V-JEPA 2, which divide a video into equal parts. Integers, no pixels.

L frames, of which a clip takes T, one every s; C = T s.

    rule       testing clips i of N                                       training clip
    videomae   M frames are kept, one every s from the first on;          linspace(e - C, e, T), e drawn from C … L - 1,
               floor(i (M - T) / (N - 1)) of them is the first of T       the last one drawn back before e
    vjepa2     at the beginning of each of N equal parts, as in           the same, as with N = 1
               training with e = C; of short ones evenly apart

All are rounded down. Where a video is too short, its last frame is repeated.
"""

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


def videomae_clips(length: int, clips: int, *, frames: int, stride: int) -> list[Int64[Tensor, "f"]]:
    """VideoMAE's testing clips (`VideoClsDataset`), which need not reach the end. A single clip, which it has not, is
    the first."""
    kept = torch.arange(0, length, stride)
    kept = torch.cat([kept, kept[-1:].expand(max(frames - len(kept), 0))])
    spare = len(kept) - frames
    starts = [i * spare // max(clips - 1, 1) for i in range(clips)]
    return [kept[start : start + frames] for start in starts]


def vjepa2_clips(length: int, clips: int, *, frames: int, stride: int) -> list[Int64[Tensor, "f"]]:
    """V-JEPA 2's testing clips: one at the beginning of each equal part that is longer than a clip.

    Its frames go from 0 to C - 1, evenly, so they lie a little more than `stride` apart. Of shorter videos clips
    overlap and lie evenly; what a clip lacks is its end, repeated. ValueError for a video without frames.
    """
    if length < 1:
        raise ValueError(f"a video has at least one frame, got {length}")
    whole, part = frames * stride, length // clips
    if part > whole:
        offsets = even_clip(whole, frames=frames, stride=stride)
        return [offsets + i * part for i in range(clips)]
    last = min(whole, length) - 1
    own = torch.linspace(0, last, last // stride, dtype=torch.float64)
    ends = torch.full((frames - len(own),), float(last), dtype=torch.float64)
    offsets = torch.cat([own, ends]).clamp(max=max(last - 1, 0)).long()
    apart = (length - whole) // (clips - 1) if length > whole else 0
    return [offsets + i * apart for i in range(clips)]


def even_clip(end: int, *, frames: int, stride: int) -> Int64[Tensor, "f"]:
    """Frames evenly over the `frames · stride` before `end`, the last of them at end - 1."""
    start = end - frames * stride
    return torch.linspace(start, end, frames, dtype=torch.float64).clamp(max=end - 1).long()


def random_part(
    length: int, rng: np.random.Generator, *, frames: int, stride: int, videomae: bool
) -> Int64[Tensor, "f"]:
    """A training clip of both; they differ in videos that are no longer than one."""
    whole = frames * stride
    if length > whole:
        return even_clip(int(rng.integers(whole, length)), frames=frames, stride=stride)
    if not videomae:
        return vjepa2_clips(length, 1, frames=frames, stride=stride)[0]
    own = torch.linspace(0, length, length // stride, dtype=torch.float64)
    ends = torch.full((frames - len(own),), float(length), dtype=torch.float64)
    return torch.cat([own, ends]).clamp(max=length - 1).long()
