"""From pixels to tokens: one token for each tubelet, a block of `(τ, py, px)` pixels."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vidtok.choices import Inflation
from vidtok.errors import ModelError
from vidtok.nn.initial import lecun_normal_


def token_grid(pixels: Sequence[int], tubelet: Sequence[int]) -> tuple[int, int, int]:
    """The grid `(t, h, w)` that tubelets cut from a clip of `(frames, rows, columns)` pixels.

    Raises ModelError where the tubelets do not fill the clip.
    """
    for extent, step, axis in zip(pixels, tubelet, ("frames", "rows", "columns"), strict=True):
        if step < 1 or extent < step or extent % step:
            below, above = extent // max(step, 1) * step, (extent // max(step, 1) + 1) * step
            fits = f"{below} or {above}" if below else f"{above}"
            raise ModelError(f"tubelets of {step} {axis} do not fill {extent} {axis}; {fits} {axis} would")
    t, h, w = (extent // step for extent, step in zip(pixels, tubelet, strict=True))
    return t, h, w


def evenly_spaced(length: int, count: int) -> Int64[Tensor, "count"]:
    """Indices of `count` frames spread over `length`, with a gap at both ends; all frames where there are not more.

        length 11, count 4:   . . x . x . . x . x .

    Index i is round((i + 1) · length / (count + 1)), halves to the even neighbour: "uniform frame sampling" of
    Arnab et al., ViViT, arXiv 2103.15691, section 3.2.
    """
    if count >= length:
        return torch.arange(length)
    return (torch.arange(1, count + 1, dtype=torch.float64) * length / (count + 1)).round().long()


class Tubelet(nn.Module):
    """One token for each tubelet: a 3-D convolution whose stride is its kernel, with bias.

    Arnab et al., ViViT, arXiv 2103.15691, section 3.2 ("tubelet embedding"). `sampled_frames` first keeps that many
    evenly spaced frames; with a tubelet of one frame this is the paper's "uniform frame sampling". Kernels start
    lecun-normal, biases at zero. Unlike the authors' code, sizes that do not divide raise ModelError; there the
    rest of the clip is dropped.
    """

    def __init__(
        self,
        width: int,
        *,
        tubelet: tuple[int, int, int] = (2, 16, 16),
        colours: int = 3,
        sampled_frames: int | None = None,
    ):
        super().__init__()
        self.tubelet = tubelet
        self.sampled_frames = sampled_frames
        self.projection = nn.Conv3d(colours, width, kernel_size=tubelet, stride=tubelet)
        lecun_normal_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)  # pyright: ignore[reportArgumentType]

    def grid(self, frames: int, rows: int, columns: int) -> tuple[int, int, int]:
        """The grid of tokens that a clip of this size gives; ModelError where tubelets do not fill it."""
        kept = frames if self.sampled_frames is None else min(frames, self.sampled_frames)
        return token_grid((kept, rows, columns), self.tubelet)

    def why_together(self) -> list[str]:
        """What keeps it from taking a clip's tubelets one by one, and what to set; nothing: it can."""
        sampled = self.sampled_frames is not None
        return ["it picks frames out of a whole clip: leave `sampled_frames` out"] if sampled else []

    def forward(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        frames, _, rows, columns = x.shape[1:]
        self.grid(frames, rows, columns)
        if self.sampled_frames is not None and self.sampled_frames < frames:
            x = x[:, evenly_spaced(frames, self.sampled_frames).to(x.device)]
        return rearrange(self.projection(rearrange(x, "b f c y x -> b c f y x")), "b d t h w -> b t h w d")


def inflate(
    kernel: Float[Tensor, "d c py px"], frames: int, *, how: Inflation = "central"
) -> Float[Tensor, "d c f py px"]:
    """A 3-D kernel from a 2-D one, for a tubelet of `frames` frames.

    central: the 2-D kernel at index frames // 2, zeros elsewhere; the token sees that frame alone.
    average: the 2-D kernel divided by `frames` at every index; a still clip gives the picture's token.
    average_arp: the same, times 2(t - i + 1) - (t + 1)(H_t - H_{i-1}) for i = 1 … t, with harmonic numbers H
    (approximate rank pooling: later frames count more, and the weights sum to zero).

    Arnab et al., ViViT, arXiv 2103.15691, section 3.4, equations 8 and 9; average_arp is in the authors' code only.
    """
    if frames < 1:
        raise ModelError(f"a tubelet has at least 1 frame, got {frames}")
    if how == "central":
        weights = kernel.new_zeros(frames)
        weights[frames // 2] = 1.0
    elif how == "average":
        weights = kernel.new_full((frames,), 1.0 / frames)
    else:
        weights = kernel.new_tensor(_rank_pooling(frames)) / frames
    return kernel.unsqueeze(2) * weights.view(-1, 1, 1)


def _rank_pooling(frames: int) -> list[float]:
    harmonic = [0.0]
    for i in range(1, frames + 1):
        harmonic.append(harmonic[-1] + 1 / i)
    return [2 * (frames - i + 1) - (frames + 1) * (harmonic[frames] - harmonic[i - 1]) for i in range(1, frames + 1)]
