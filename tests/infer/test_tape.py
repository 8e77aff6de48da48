"""A tape gives back what was kept on it."""

import numpy as np
import pytest

from vidtok.infer.tape import Tape


def test_a_tape_gives_back_what_was_kept_and_refuses_other_shapes():
    tape = Tape([np.zeros((2, 3), np.float32), np.zeros(2, np.int32)])
    for number in range(3):
        tape.append([np.full((2, 3), number, np.float32), np.array([number, -number], np.int32)])
    assert tape.length == 3
    assert tape.read(1, 0).tolist() == [[1] * 3] * 2
    assert tape.read(2, 1).tolist() == [2, -2]
    with pytest.raises(ValueError, match="a tape of"):
        tape.append([np.zeros((1, 3), np.float32), np.zeros(2, np.int32)])
