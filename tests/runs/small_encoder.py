"""An encoder for pictures of 32 pixels as a run of `fit` leaves it: timm's smallest network, drawn at random."""

from pathlib import Path

import torch

from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier

MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.4, 0.4)


def small_encoder(folder: Path) -> Path:
    """The folder, with the model in it; its batch norms are far from their start."""
    torch.manual_seed(0)
    plan = Architecture(network="encoder", options={"encoder": "test_efficientnet"}, frames=2, size=32)
    network = plan.build(classes=3)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
    model = Classifier(network, mean=MEAN, std=STD, classes=tuple("abc"), architecture=plan)
    model.save_pretrained(folder / "model")
    return folder
