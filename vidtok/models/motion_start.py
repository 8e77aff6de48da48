"""The small network that travels with vidtok: a CAS-ViT that has seen moving shapes alone, for where nothing else is.

It is the start of configs/own_small.yaml, whose header says how it was made, and the last resort of `vidtok fit`.
"""

from pathlib import Path

from vidtok.errors import CheckpointError
from vidtok.models.classifier import Classifier, read_description

MOTION_START = "motion_casvit"
MOTION_FILE = Path(__file__).with_name(f"{MOTION_START}.safetensors")
"""In half precision."""
SOURCE = "the package vidtok, trained on 512 clips of moving shapes (Apache-2.0)"
WORTH = "it has seen moving shapes and no photograph, and is a beginning: other weights are nearly always better"


def open_motion_start() -> Classifier:
    """The network with its eight classes of movement, in evaluation state and single precision."""
    description = read_description(MOTION_FILE)
    if description is None:
        raise CheckpointError(f"{MOTION_FILE}: does not say which model it is of")
    model = Classifier.from_description(description, source=MOTION_FILE)
    model.read_weights(MOTION_FILE)
    return model.float().eval()
