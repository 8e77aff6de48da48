"""Networks by name. To add one: write a file with a Network that says `@register(name)`, and an import line here.

This is the second of the two tables in which names become constructors (the first is vidtok.nn.mixers).
"""

from vidtok.models import baselines_mvit_v1 as baselines_mvit_v1
from vidtok.models import baselines_slowfast as baselines_slowfast
from vidtok.models import baselines_torchvision as baselines_torchvision
from vidtok.models import baselines_x3d as baselines_x3d
from vidtok.models import casvit as casvit
from vidtok.models import encoder as encoder
from vidtok.models import encoder_probe as encoder_probe
from vidtok.models import encoder_vivit as encoder_vivit
from vidtok.models import maxvit as maxvit
from vidtok.models import own_encoder as own_encoder
from vidtok.models import stvit as stvit
from vidtok.models import transformers_encoder as transformers_encoder
from vidtok.models import vivit as vivit
from vidtok.models import vivit_factorised as vivit_factorised
from vidtok.models import vjepa2_probe as vjepa2_probe
from vidtok.models.network import Network
from vidtok.models.registry import NETWORKS, network_class, register

__all__ = ["NETWORKS", "Network", "network_class", "register"]
