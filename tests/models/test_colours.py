"""How pixels are normalised."""

import pytest

from vidtok.models.colours import CENTRED, IMAGENET, colours


def test_three_numbers_for_red_green_and_blue():
    assert colours([1.0, 2.0, 3.0]) == (1.0, 2.0, 3.0)
    for wrong in ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match="values to unpack"):
            colours(wrong)


def test_the_usual_numbers():
    assert CENTRED == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    mean, std = IMAGENET
    assert [round(255 * value, 2) for value in (*mean, *std)] == [123.67, 116.28, 103.53, 58.4, 57.12, 57.38]
