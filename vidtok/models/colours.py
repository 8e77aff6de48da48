"""How pixels are normalised, a number for each colour: types, and the usual numbers."""

from collections.abc import Sequence

Colours = tuple[float, float, float]
Normalisation = tuple[Colours, Colours]
"""Mean and deviation of each colour, for pixels in 0..1."""
HALF: Colours = (0.5, 0.5, 0.5)
CENTRED: Normalisation = (HALF, HALF)
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def colours(values: Sequence[float]) -> Colours:
    """Three numbers, for red, green and blue; ValueError for others."""
    red, green, blue = map(float, values)
    return red, green, blue
