import re

import pytest
import torch

from tests.models.costs import COSTS
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.vivit_sizes import FACTORISED, VIVIT

# Parameters, and multiply-adds of a clip of 32 frames in G, for 400 classes: models of the two papers.
PUBLISHED = {
    "vivit_b16x2": (88_954_000, 451.5),
    "vivit_b16x2_fe": (115_062_928, 283.3),
    "vivit_b16x2_fsa": (117_319_312, 371.1),
    "vivit_b16x2_fdp": (88_952_464, 276.2),
    "vivit_l16x2": (307_508_624, 1436),
    "vivit_l16x2_fe": (354_903_440, 988.2),
    "vivit_l16x2_tl16at12": (307_575_264, 760.7),
    "vivit_l16x2_tl8at18": (383_152_088, 1097.7),
    "vivit_l16x2_tl16at18": (383_152_608, 1118),
    "vivit_l14x2_tl16at18": (446_748_128, 1608.5),
    "vivit_l10x2_tl16at18": (449_893_856, 4027),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_have_their_published_size_and_cost(name):
    parameters, macs = PUBLISHED[name]
    counted = COSTS[name]  # by test_cost
    assert counted[0] == parameters
    assert counted[1] / 1e9 == pytest.approx(macs, rel=5e-4)


@pytest.mark.parametrize("name", sorted({*VIVIT, *FACTORISED}))
def test_every_name_builds(name):
    cls, options = (ViViT, VIVIT[name]) if name in VIVIT else (FactorisedEncoderViViT, FACTORISED[name])
    with torch.device("meta"):
        network = cls(classes=400, **options)
    assert sum(parameter.numel() for parameter in network.parameters()) == COSTS[name][0]
    # What no count of parameters shows: heads are 64 wide (those of the largest 80), and the name says the rest.
    encoder = network.encoder if cls is ViViT else network.space
    width, size = options["width"], name.removeprefix("vivit_")[0]
    assert width / options["heads"] == (80 if size == "h" else 64)
    patch = int(re.search(r"_[a-z]+(\d+)x2", name)[1])
    assert network.tokenizer.tubelet == (2, patch, patch)
    assert (encoder.class_token is not None) == (options["pool"] == "cls")
    axes = [[mixer.axes for mixer in block.mixers] for block in encoder.blocks]
    assert axes == [["space", "time"] if "_fsa" in name else ["split"] if "_fdp" in name else ["joint"]] * len(axes)
    if learned := re.search(r"_tl(\d+)at(\d+)", name):
        learner = options["token_learner"]
        assert (learner.tokens, learner.after_block) == (int(learned[1]), int(learned[2]))
        assert options["pool"] == "mean"
