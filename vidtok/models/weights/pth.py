"""Reading `.pth` files without running code that they carry."""

import argparse
import pickle
from pathlib import Path

import torch
from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.weights.image_form import unwrap


def read_pth(path: Path) -> dict[str, Tensor]:
    """The weights in a `.pth` file: those under `model_ema` (averaged), else those under `model`, else the file's own.

    Tensors and plain types alone are read; `argparse.Namespace`, in which the published files of STViT and CAS-ViT
    keep their arguments, is the only class allowed besides. Raises CheckpointError for a file that is missing, is
    damaged, or holds anything else.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} cannot be read as weights: {error}") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path} holds a {type(loaded).__name__}; a dictionary of tensors is needed")
    return unwrap(loaded, where=str(path))
