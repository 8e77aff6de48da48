"""A video inside of a page is one that can be read again."""

import base64
import io

import torch
from PIL import Image

from vidtok.video.reader import open_video
from vidtok.viz.embedded import embedded


def test_what_is_inside_is_the_video(tmp_path):
    pictures = torch.zeros(5, 3, 32, 48, dtype=torch.uint8)
    pictures[2:] = 200
    found = embedded(pictures, fps=8.0)
    kind, content = found.video.split(",")
    assert kind == "data:video/mp4;base64"
    (tmp_path / "a.mp4").write_bytes(base64.b64decode(content))
    with open_video(tmp_path / "a.mp4") as reader:
        assert (len(reader), reader.fps, reader.size) == (5, 8.0, (32, 48))
        shown = reader.frames_at([0, 4]).pixels.float().mean((1, 2, 3))
    assert shown[0] < 20
    assert shown[1] > 180
    with Image.open(io.BytesIO(base64.b64decode(found.poster.split(",")[1]))) as still:
        assert still.size == (48, 32)
        assert still.getpixel((5, 5))[0] > 180  # the middle one, of the bright ones
