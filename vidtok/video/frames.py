"""The backend `frames`: a folder of pictures, or a single one; every backend reads these with it."""

import io
import re
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import UInt8
from numpy import array
from PIL import Image, ImageOps
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.video.indexed import IndexedReader
from vidtok.video.source import is_stored, stored_content

DEFAULT_FPS = 25.0
PICTURE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""Of files that are a picture by themselves. `.gif` and `.apng` move: they are left to the decoders of videos."""
NOT_PICTURES = {"MPEG"}  # which Pillow knows, but does not decode


def natural_order(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts numbers within names by value: `img_2.jpg` comes before `img_10.jpg`."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def is_pattern(path: Path) -> bool:
    """Whether a path such as `folder/img_*.jpg` stands for some pictures of a folder; a file may be called so too."""
    return "*" in path.name and path.parent.is_dir() and not path.exists()


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder, a pattern or a file whose name ends as a picture's does: nothing for a decoder."""
    return path.suffix.lower() in PICTURE_SUFFIXES or path.is_dir() or is_pattern(path)


def pictures_in(folder: Path) -> list[Path]:
    """Files with an extension of any picture format that Pillow opens, in natural order; hidden ones are left out.

    Of a path that is a pattern, the files of its folder that fit it.
    """
    pattern = "*"
    if is_pattern(folder):
        folder, pattern = folder.parent, folder.name
    known = {
        suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN.keys() - NOT_PICTURES
    }
    found = [p for p in folder.iterdir() if p.suffix.lower() in known and not p.name.startswith(".") and p.is_file()]
    found = [p for p in found if fnmatchcase(p.name, pattern)]
    return sorted(found, key=lambda path: (natural_order(path.name), path.name))


class FramesReader(IndexedReader):
    """The pictures of a folder, in natural order, as a video; a single picture file is a video of one frame.

    `folder/img_*.jpg` is those pictures of the folder whose names are so.

    Pictures have no times: frame i is shown at i / `fps` seconds. Turned upright as their EXIF data ask, to 8-bit RGB
    (the high byte of 16 bits), transparency dropped; pictures of another size are scaled to that of the first.
    """

    def __init__(self, path: str | Path, *, fps: float | int = DEFAULT_FPS, timeout_seconds: float = 30.0):
        if fps <= 0:
            raise ValueError(f"fps is above 0, got {fps}")
        path = Path(path)
        try:
            self._files = pictures_in(path) if path.is_dir() or is_pattern(path) else [path]
        except OSError as error:
            raise DecodeError(f"{path}: {error.strerror}") from error
        if not self._files:
            raise DecodeError(f"{path}: has no pictures in it, such as .jpg, .png or .webp files")
        y, x = self._picture(0).shape[1:]
        pts_seconds = torch.arange(len(self._files), dtype=torch.float64) / fps
        super().__init__(path, pts_seconds=pts_seconds, fps=float(fps), size=(y, x), timeout_seconds=timeout_seconds)
        self.damaged = frozenset()  # a picture that is damaged is an error

    def _picture(self, index: int) -> UInt8[Tensor, "c y x"]:
        file = self._files[index]
        try:
            content = io.BytesIO(stored_content(file)) if is_stored(file) else file
            with Image.open(content) as opened:
                image = ImageOps.exif_transpose(opened)
                if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
                    image = image.convert("I").point(lambda value: value / 256).convert("L")
                pixels = array(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise DecodeError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
        return rearrange(torch.from_numpy(pixels), "y x c -> c y x")
