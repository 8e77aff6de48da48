"""Videos as text inside of a page: small, and with a still picture to stand there until they are played."""

import base64
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vidtok.video.write import write_video


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """`data:` addresses of an H.264 video and of its middle picture."""

    video: str
    poster: str


def embedded(pictures: UInt8[Tensor, "f c y x"], *, fps: float, crf: int = 30) -> Embedded:
    """A few pictures as a video inside of a page; `crf` as in `write_video`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, pictures, fps=fps, crf=crf, preset="veryfast")
        video = _address("video/mp4", path.read_bytes())
    still = io.BytesIO()
    Image.fromarray(pictures[len(pictures) // 2].movedim(0, -1).numpy()).save(still, "JPEG", quality=70)
    return Embedded(video=video, poster=_address("image/jpeg", still.getvalue()))


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
