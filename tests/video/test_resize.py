"""Scaled pictures against torchvision's."""

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from vidtok.video import resize
from vidtok.video.resize import resized


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("target", [(7, 12), (40, 31), (20, 30), (20, 15)])
def test_pixels_are_torchvision_s(target, kernel, monkeypatch):
    pixels = torch.randint(256, (3, 20, 30, 3), dtype=torch.uint8).permute(0, 3, 1, 2)  # as decoders put it out
    for version in (resize.platform, torch.backends.cpu):
        name = "machine" if version is resize.platform else "get_cpu_capability"
        monkeypatch.setattr(version, name, lambda: "AVX2" if kernel else "else")
    ours = resized(pixels, *target)
    assert ours.dtype == torch.uint8
    assert torch.equal(ours, F.resize(pixels, list(target), antialias=True))


def test_nothing_is_copied_or_computed_without_need():
    pixels = torch.zeros(2, 3, 5, 6, dtype=torch.uint8)
    assert resized(pixels, 5, 6) is pixels
    assert resized(pixels[:0], 4, 4).shape == (0, 3, 4, 4)
