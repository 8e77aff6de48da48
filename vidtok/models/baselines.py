"""The published sizes of the networks of pytorchvideo and torchvision by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidtok.models.baselines_pytorchvideo import StageTokens

BASELINES: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        name: (network, MappingProxyType(options))
        for name, network, options in (
            ("x3d_xs", "x3d", {"frames": 4, "size": 160}),
            ("x3d_s", "x3d", {"frames": 13, "size": 160}),
            ("x3d_m", "x3d", {"frames": 16, "size": 224}),
            ("x3d_l", "x3d", {"frames": 16, "size": 312, "depth_factor": 5.0}),
            ("x3d_m_tl8at3", "x3d", {"frames": 16, "size": 224, "token_learner": StageTokens(after_stage=3)}),
            ("slow_r50", "slow", {"frames": 8, "size": 224}),
            ("slowfast_r50", "slowfast", {"frames": 32, "size": 224}),
            ("slowfast_r101", "slowfast", {"frames": 32, "size": 224, "depth": 101, "fusion_kernel": 5}),
            ("mvit_v1_b_16x4", "mvit_v1", {"frames": 16, "size": 224}),
            ("mvit_v1_b_32x3", "mvit_v1", {"frames": 32, "size": 224}),
            ("s3d", "s3d", {"frames": 16, "size": 224}),
            ("swin3d_t", "swin3d", {"frames": 32, "size": 224}),
            ("swin3d_s", "swin3d", {"frames": 32, "size": 224, "depths": (2, 2, 18, 2)}),
            (
                "swin3d_b",
                "swin3d",
                {"frames": 32, "size": 224, "width": 128, "depths": (2, 2, 18, 2), "heads": (4, 8, 16, 32)},
            ),
            ("mvit_v2_s", "mvit_v2", {"frames": 16, "size": 224}),
            ("mvit_v2_b", "mvit_v2", {"frames": 32, "size": 224, "depths": (2, 3, 16, 3), "drop_path": 0.3}),
        )
    }
)
"""Name of the network (see vidtok.models) and its arguments, those of the clip among them.

`x3d_m_tl8at3` is vidtok's own: 8 learned tokens for each time step behind stage 3 of X3D-M.
"""
