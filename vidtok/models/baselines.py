"""Published sizes of the networks of pytorchvideo and torchvision by name, and the clips that they were made for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidtok.models.baselines_x3d import StageTokens
from vidtok.models.colours import IMAGENET, Normalisation

Facts = Mapping[str, Any]
GREY: Normalisation = ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
KINETICS: Normalisation = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))


def _facts(network: str, colours: Normalisation, frames: int, size: int, options: Facts | None = None) -> Facts:
    mean, std = colours
    facts = {"network": network, "frames": frames, "size": size, "mean": mean, "std": std}
    return MappingProxyType({**facts, "options": MappingProxyType({**(options or {})})})


BASELINES: Mapping[str, Facts] = MappingProxyType(
    {
        "x3d_xs": _facts("x3d", GREY, 4, 160),
        "x3d_s": _facts("x3d", GREY, 13, 160),
        "x3d_m": _facts("x3d", GREY, 16, 224),
        "x3d_l": _facts("x3d", GREY, 16, 312, {"depth_factor": 5.0}),
        "x3d_m_tl8at3": _facts("x3d", GREY, 16, 224, {"token_learner": StageTokens(after_stage=3)}),
        "slow_r50": _facts("slow", GREY, 8, 224),
        "slowfast_r50": _facts("slowfast", GREY, 32, 224),
        "slowfast_r101": _facts("slowfast", GREY, 32, 224, {"depth": 101, "fusion_kernel": 5}),
        "mvit_v1_b_16x4": _facts("mvit_v1", GREY, 16, 224),
        "mvit_v1_b_32x3": _facts("mvit_v1", GREY, 32, 224),
        "s3d": _facts("s3d", KINETICS, 16, 224),
        "swin3d_t": _facts("swin3d", IMAGENET, 32, 224),
        "swin3d_s": _facts("swin3d", IMAGENET, 32, 224, {"depths": (2, 2, 18, 2)}),
        "swin3d_b": _facts(
            "swin3d", IMAGENET, 32, 224, {"width": 128, "depths": (2, 2, 18, 2), "heads": (4, 8, 16, 32)}
        ),
        "mvit_v2_s": _facts("mvit_v2", GREY, 16, 224),
        "mvit_v2_b": _facts("mvit_v2", GREY, 32, 224, {"depths": (2, 3, 16, 3), "drop_path": 0.3}),
    }
)
"""For each name the network (see vidtok.models), its clips, their normalisation, and the network's other options.

`x3d_m_tl8at3` is vidtok's own: 8 learned tokens for each time step behind stage 3 of X3D-M.
"""
