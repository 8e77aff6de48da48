"""Published sizes and costs of models, each with its source; nothing here was counted by vidtok."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Published:
    """What others state for a model, as they state it; a multiply-add is called a FLOP there."""

    source: str
    parameters: float | None = None
    """In millions."""
    macs: float | None = None
    """Multiply-adds for one view, in thousands of millions."""
    frames: int | None = None
    """The clip that `macs` is stated for, where it is not the model's own."""
    size: int | None = None
    """Rows and columns of that clip, where they are not the model's own."""


VIVIT = "arXiv 2103.15691"
TOKEN_LEARNER = "arXiv 2106.11297, as cited by others"
STVIT = "arXiv 2211.11167"
MAXVIT = "arXiv 2204.01697"
CASVIT = "arXiv 2408.03703, with the head for distillation"
SLOWFAST_ZOO = "PySlowFast model zoo"
ZOO = "PyTorchVideo model zoo"
TORCHVISION = "torchvision"

PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "vivit_b16x2": Published(parameters=88.9, macs=455.2, source=VIVIT),
        "vivit_b16x2_fe": Published(parameters=115.1, macs=284.4, source=VIVIT),
        "vivit_b16x2_fsa": Published(parameters=117.3, macs=372.3, source=VIVIT),
        "vivit_b16x2_fdp": Published(parameters=88.9, macs=277.1, source=VIVIT),
        "vivit_l16x2": Published(macs=1446.0, source=VIVIT),
        "vivit_l16x2_fe": Published(macs=995.3, source=VIVIT),
        "vivit_l16x2_tl16at12": Published(macs=766.0, source=TOKEN_LEARNER),
        "vivit_l10x2_tl16at18": Published(macs=4076.0, source=TOKEN_LEARNER),
        "stvit_small": Published(parameters=25.0, macs=4.4, source=STVIT),
        "stvit_base": Published(parameters=52.0, macs=9.9, source=STVIT),
        "stvit_large": Published(parameters=95.0, macs=15.6, source=STVIT),
        "maxvit_tiny_tf_224": Published(parameters=31.0, macs=5.6, source=MAXVIT),
        "maxvit_small_tf_224": Published(parameters=69.0, macs=11.7, source=MAXVIT),
        "maxvit_base_tf_224": Published(parameters=119.0, macs=24.2, source=MAXVIT),
        "maxvit_large_tf_224": Published(parameters=212.0, macs=43.9, source=MAXVIT),
        "maxvit_xlarge_tf_224": Published(parameters=475.0, macs=97.8, source=MAXVIT),
        "casvit_xs": Published(parameters=3.20, source=CASVIT),
        "casvit_s": Published(parameters=5.76, source=CASVIT),
        "casvit_m": Published(parameters=12.42, source=CASVIT),
        "casvit_t": Published(parameters=21.76, source=CASVIT),
        "x3d_xs": Published(parameters=3.8, macs=0.60, source=SLOWFAST_ZOO),
        "x3d_s": Published(parameters=3.8, macs=1.96, source=SLOWFAST_ZOO),
        "x3d_m": Published(parameters=3.8, macs=4.73, source=SLOWFAST_ZOO),
        "x3d_l": Published(parameters=6.2, macs=18.37, source=SLOWFAST_ZOO),
        "slow_r50": Published(parameters=32.45, macs=54.52, size=256, source=ZOO),
        "slowfast_r50": Published(parameters=34.57, macs=65.71, size=256, source=ZOO),
        "slowfast_r101": Published(parameters=62.83, macs=127.20, size=256, source=ZOO),
        "mvit_v1_b_16x4": Published(parameters=36.61, macs=70.60, source=TORCHVISION),
        "s3d": Published(parameters=8.32, macs=17.98, source=TORCHVISION),
        "swin3d_t": Published(parameters=28.16, macs=43.88, frames=16, source=TORCHVISION),
        "swin3d_s": Published(parameters=49.82, macs=82.84, frames=16, source=TORCHVISION),
        "swin3d_b": Published(parameters=88.05, macs=140.67, frames=16, source=TORCHVISION),
        "mvit_v2_s": Published(parameters=34.54, macs=64.22, source=TORCHVISION),
        "mvit_v2_b": Published(parameters=51.0, macs=225.0, source=SLOWFAST_ZOO),
    }
)
"""By the names of `vidtok.list_models`."""
