"""Pictures of the embedded data set `motion`: a canvas of textures and shapes, seen by a camera that moves.

A clip is an endless canvas under a similarity transform that changes from frame to frame:

    canvas point = R(-angle) · (pixel − pivot − shift) / scale + a random corner of the canvas

The canvas repeats in x and y, every angle is as likely as any other, and the scale repeats as well: zooming is a
Shepard tone. Layers one octave apart lie over each other, each fades in while it is small and out while it is large,
and the contents of different layers are independent. So a picture says nothing about where on its path it lies.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Float64, UInt8
from numpy.random import Generator
from torch import Tensor

MOTIONS = ("right", "left", "down", "up", "clockwise", "anticlockwise", "grow", "shrink")
"""Class names in the order of their labels; labels 2i and 2i + 1 are each other's time reversal."""

PIXELS_PER_FRAME = (1.5, 3.5)
RADIANS_PER_FRAME = (0.06, 0.14)
OCTAVES_PER_FRAME = (0.08, 0.18)
"""Slowest and fastest motion; 25 pixels from the pivot a turn moves 1.5 to 3.5 pixels as well, a zoom 1.4 to 3.1."""
PIVOT_SPREAD = 0.08
"""The pivot of turning and zooming is at most this part of the picture away from its middle."""

TILE = 64
"""Texels from one copy of a layer's content to the next."""
SCALE = 0.7
"""Pixels per texel where a layer fades in; it fades out two octaves later."""
REACH = 18
"""Texels from a shape's centre to where it has surely ended."""
CONTRAST = 90.0
"""Grey levels per unit of a layer's content."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """The camera's transform at every frame of a clip."""

    shift: Float64[Tensor, "f 2"]
    """Pixels, to the right and down."""
    angle: Float64[Tensor, "f"]
    """Radians, clockwise on the screen."""
    octave: Float64[Tensor, "f"]
    """log2 of the scale."""
    pivot: Float64[Tensor, "2"]
    """Column and row of the point about which the canvas turns and grows."""


def draw_path(rng: Generator, motion: str, *, frames: int, size: tuple[int, int]) -> Track:
    """A path of constant, random speed for pictures of `size` (rows, columns).

    In the middle of the clip, angle and octave are uniform over one period of the canvas, and each layer's content has
    a uniform offset of its own (`tile_places`); so they are at any other moment and speed, in every class. Equal seeds
    give the two classes of a pair the same path, walked forwards and backwards.
    """
    if motion not in MOTIONS:
        raise ValueError(f"a motion is one of {', '.join(MOTIONS)}, got {motion!r}")
    kind, backwards = divmod(MOTIONS.index(motion), 2)
    # Everything is drawn for every class, so that what follows in the clip does not depend on the class.
    pixels, radians, octaves = (
        rng.uniform(*bounds) for bounds in (PIXELS_PER_FRAME, RADIANS_PER_FRAME, OCTAVES_PER_FRAME)
    )
    angle, octave = rng.uniform(0, 2 * math.pi), rng.uniform(0, 1)
    rows, columns = (((n - 1) / 2 + rng.uniform(-PIVOT_SPREAD, PIVOT_SPREAD) * n) for n in size)
    time = (torch.arange(frames, dtype=torch.float64) - (frames - 1) / 2) * (1 - 2 * backwards)
    across, down, turn, zoom = (time * (kind == place) for place in range(4))
    return Track(
        shift=torch.stack([across * pixels, down * pixels], dim=-1),
        angle=angle + turn * radians,
        octave=octave + zoom * octaves,
        pivot=torch.tensor([columns, rows], dtype=torch.float64),
    )


def draw_tile(rng: Generator, *, shapes: int) -> Float32[Tensor, "c y x"]:
    """The content of a layer, about -1 to 1, repeating in x and y: band-limited noise under discs and polygons."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    band = np.exp(-0.5 * ((frequency - 1 / 13) / (1 / 40)) ** 2) * (frequency > 0)
    real, imaginary = rng.standard_normal((2, 2, *band.shape))
    noise = np.fft.irfft2((real + 1j * imaginary) * band, s=(TILE, TILE))
    noise /= noise.std(axis=(1, 2), keepdims=True)
    light, tint = rng.normal([[0.4], [0.0]], 0.2, (2, 3))
    tile = light[:, None, None] * noise[0] + tint[:, None, None] * noise[1]
    for _ in range(shapes):
        draw_shape(rng, tile)
    return torch.from_numpy(tile.astype(np.float32))


def draw_shape(rng: Generator, tile: np.ndarray) -> None:
    """Draw a disc or a regular polygon, every third of them with a hole, somewhere into the tile `c y x`."""
    centre, radius, turn = rng.uniform(0, TILE, 2), rng.uniform(5, 11), rng.uniform(0, 2 * math.pi)
    corners, hole = (0, 3, 4, 5)[rng.integers(4)], rng.uniform() < 1 / 3
    colour = (-0.7, 0.7)[rng.integers(2)] + rng.uniform(-0.5, 0.5, 3)
    rows, columns = (np.arange(-REACH, REACH + 1) + math.floor(c) for c in centre)
    y, x = (rows - centre[0])[:, None], (columns - centre[1])[None]
    distance = np.hypot(y, x)
    if corners:
        sector = 2 * math.pi / corners
        distance = distance * np.cos((np.arctan2(y, x) + turn) % sector - sector / 2) / math.cos(sector / 2) ** 0.5
    cover = np.clip(radius - distance + 0.5, 0, 1)
    if hole:
        cover *= np.clip(distance - radius / 2 + 0.5, 0, 1)
    place = np.ix_(range(3), rows % TILE, columns % TILE)
    tile[place] += cover * (colour[:, None, None] - tile[place])


def tile_places(
    path: Track, layer: int, corner: Float64[Tensor, "2"], *, size: tuple[int, int]
) -> Float32[Tensor, "f y x 2"]:
    """Where each pixel of each frame lies in the layer's tile, in periods of the tile, 0 to 1.

    `corner` is the random place of the layer's canvas, in periods, that the pivot sees when the shift is zero.
    """
    period = TILE * SCALE * 2 ** (path.octave - layer + 1)  # pixels
    cos, sin = path.angle.cos() / period, path.angle.sin() / period
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
    y = rows - path.pivot[1] - path.shift[:, 1:]
    x = columns - path.pivot[0] - path.shift[:, :1]
    along_x = torch.stack([cos[:, None] * x, -sin[:, None] * x], dim=-1)
    along_y = torch.stack([sin[:, None] * y, cos[:, None] * y], dim=-1) + corner
    places = along_y.remainder(1).float()[:, :, None] + along_x.remainder(1).float()[:, None]
    return places.sub_(places.floor())


def render_clip(
    rng: Generator, path: Track, *, size: tuple[int, int], shapes: int, noise: int
) -> UInt8[Tensor, "f c y x"]:
    """The pictures of a path: two layers of the Shepard tone at any time, and uniform noise of `noise` grey levels."""
    grain = rng.integers(-noise, noise + 1, (len(path.angle), 3, *size), dtype=np.int8)
    picture = torch.from_numpy(grain).float().add_(127.5)
    lowest, highest = math.floor(path.octave.min()), math.floor(path.octave.max())
    for layer in range(lowest, highest + 2):
        tile, corner = draw_tile(rng, shapes=shapes), torch.from_numpy(rng.uniform(0, 1, 2))
        phase = path.octave - layer + 1  # 0: fading in, 1: full, 2: gone
        seen = (phase > 0) & (phase < 2)
        part = Track(shift=path.shift[seen], angle=path.angle[seen], octave=path.octave[seen], pivot=path.pivot)
        places = tile_places(part, layer, corner, size=size).mul_(2).sub_(1)
        wrapped = F.pad(tile[None], (0, 1, 0, 1), mode="circular").expand(len(places), -1, -1, -1)
        sampled = F.grid_sample(wrapped, places, mode="bilinear", align_corners=True)
        # The squares of the two weights add to one, so the contrast is the same at every octave.
        weight = CONTRAST * (phase[seen] * (math.pi / 2)).sin().float()
        picture.index_add_(0, seen.nonzero().flatten(), sampled.mul_(weight[:, None, None, None]))
    return picture.round_().clamp_(0, 255).to(torch.uint8)
