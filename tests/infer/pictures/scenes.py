"""Small networks before one clip, for the tests of kinds of pictures."""

import torch

from vidtok.infer.pictures import Ask, Scene
from vidtok.models.vivit import ViViT
from vidtok.nn.looks import at_rest
from vidtok.nn.token_learner import TokenLearnerOptions

SIZES = {"classes": 3, "frames": 4, "size": (16, 32), "tubelet": (2, 4, 4), "width": 12, "depth": 2, "heads": 2}
GRID = (2, 4, 8)
LEARNED = TokenLearnerOptions(after_block=1, tokens=3)


def network_of(cls=ViViT, **options):
    """A network none of whose weights is zero."""
    torch.manual_seed(0)
    network = cls(**{**SIZES, **options})
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return network


def scene_of(network, *, label=1, clip=None, **ask):
    frames, rows, columns = network.clip
    if clip is None:
        clip = torch.randn(1, frames, 3, rows, columns, generator=torch.Generator().manual_seed(1))
    return Scene(network=network, clip=clip, label=label, label_name="wave", ask=Ask(**ask))


def shown(kind, network, **more):
    """What a kind shows of a network at rest."""
    with at_rest(network):
        return kind(scene_of(network, **more))
