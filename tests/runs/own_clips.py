"""A person's own clips: a folder with a sub-folder per class, whose classes are colours that drift."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file

from vidtok.infer.features import VideoFeatures, extract_features
from vidtok.models.classifier import Classifier
from vidtok.models.encoders import find_encoder
from vidtok.runs.fit_model import encoder_model
from vidtok.video.write import write_video

ENCODER = "test_efficientnet"
COLOURS = {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (210, 50, 40)}


def own_clips(folder: Path, *, each: int = 6, frames: int = 8) -> Path:
    """So many clips of each colour, with noise of their own."""
    for k, (name, colour) in enumerate(COLOURS.items()):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            rng = np.random.default_rng([k, number])
            base = np.array(colour)[None, :, None, None] + rng.integers(-40, 40, (1, 3, 6, 8)).repeat(8, 2).repeat(8, 3)
            drift = rng.integers(0, 12, (frames, 1, 1, 1)).cumsum(0)
            pixels = torch.from_numpy(np.clip(base + drift, 0, 255).astype(np.uint8))
            write_video(folder / name / f"p{number % 3}_{number}.mp4", pixels, fps=10.0, crf=18, preset="ultrafast")
    return folder


def encoder_file(path: Path) -> Path:
    """Weights of timm's smallest network, drawn at random: enough to tell colours apart."""
    torch.manual_seed(0)
    network = timm.create_model(ENCODER, pretrained=False, num_classes=0)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return path


def colour_model(clips: Path, encoder: Path, *, seconds: float) -> Classifier:
    """What `fit` would leave, made in less time: an encoder, and the class whose clips' mean features are nearest."""
    names = sorted(COLOURS)
    model = encoder_model(
        find_encoder(f"{ENCODER}={encoder_file(encoder)}"), names, summary="mean", frames=2, kind="softmax"
    )
    assert model.feeding is not None
    model.feeding = replace(model.feeding, video_seconds=seconds)
    means = []
    for name in names:
        found = extract_features(model, sorted((clips / name).iterdir()))
        means.append(torch.cat([each.features for each in found if isinstance(each, VideoFeatures)]).mean(0))
    centres = torch.stack(means)
    apart = torch.pdist(centres).min() ** 2
    with torch.no_grad():
        model.network.head.weight.copy_(12 / apart * centres)  # at a centre the others' logits are 6 below or more
        model.network.head.bias.copy_(-6 / apart * (centres**2).sum(1))
    return model
