"""Reading `.pth` files without running code that they carry."""

import argparse
import pickle
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from vidtok.errors import CheckpointError, DataError
from vidtok.models.weights.image_form import unwrap
from vidtok.text.arrays import check_stored


def read_pth(path: Path) -> dict[str, Tensor]:
    """The weights in a `.pth` file: averaged ones first, `model_ema`, then `model` and its like, else the file's own.

    Raises CheckpointError as `read_pickle` does, and where something else than tensors is found.
    """
    return unwrap(read_pickle(path), where=str(path))


def read_pickle(path: Path) -> dict[str, object]:
    """What a `.pth`, `.pt` or `.bin` file holds, read without running code.

    Tensors and plain types alone are read; `argparse.Namespace`, in which the published files of STViT and CAS-ViT
    keep their arguments, is the only class allowed besides. Raises CheckpointError for a file that is missing, is
    damaged, or holds anything else.
    """
    try:
        if zipfile.is_zipfile(path):
            check_stored(path)
        # An open file, since torch goes by the ending of a path and hands some files to other libraries.
        with torch.serialization.safe_globals([argparse.Namespace]), open(path, "rb") as file:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (DataError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} cannot be read as weights: {error}") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path} holds a {type(loaded).__name__}; a dictionary of tensors is needed")
    return loaded
