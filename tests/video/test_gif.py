"""GIFs, read back."""

import pytest
import torch
from PIL import Image

from vidtok.video.gif import write_gif


def test_every_frame_is_there_at_its_pace(tmp_path):
    pictures = torch.zeros(5, 3, 12, 20, dtype=torch.uint8)
    for number in range(5):
        pictures[number, :, :, 4 * number : 4 * number + 4] = 255
    write_gif(tmp_path / "a.gif", pictures, fps=8)
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.size, image.n_frames, image.info["loop"]) == ((20, 12), 5, 0)
        for number in range(5):
            image.seek(number)
            assert image.info["duration"] == 120  # hundredths of a second are whole
            row = torch.tensor(list(image.convert("L").crop((0, 6, 20, 7)).tobytes()))
            assert (row > 128).nonzero().flatten().tolist() == list(range(4 * number, 4 * number + 4))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.gif"]


def test_no_rate_is_above_what_browsers_play(tmp_path):
    pictures = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    pictures[0, :, :4] = pictures[1, :, 4:] = 99
    write_gif(tmp_path / "a.gif", pictures, fps=200)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 20


def test_nothing_is_no_gif(tmp_path):
    with pytest.raises(ValueError, match="at least one picture"):
        write_gif(tmp_path / "a.gif", [], fps=8)
