"""Networks by name: the second of the two tables in which names become constructors (the first is vidtok.nn.mixers)."""

import difflib

from torch import nn

from vidtok.errors import ModelError
from vidtok.models.baselines_pytorchvideo import X3D, MViTv1, Slow, SlowFast
from vidtok.models.baselines_torchvision import S3D, MViTv2, Swin3D
from vidtok.models.casvit import CASViT
from vidtok.models.maxvit import MaxViT
from vidtok.models.stvit import STViT
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT

NETWORKS: dict[str, type[nn.Module]] = {
    "casvit": CASViT,
    "maxvit": MaxViT,
    "mvit_v1": MViTv1,
    "mvit_v2": MViTv2,
    "s3d": S3D,
    "slow": Slow,
    "slowfast": SlowFast,
    "stvit": STViT,
    "swin3d": Swin3D,
    "vivit": ViViT,
    "vivit_factorised": FactorisedEncoderViViT,
    "x3d": X3D,
}


def network_class(name: str) -> type[nn.Module]:
    """The network behind a name; ModelError with the known names, nearest first, where there is none."""
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        raise ModelError(f"there is no network {name!r}{hint} Known: {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]
