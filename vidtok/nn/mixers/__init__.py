"""Token mixers by name. To add one: write a file, an import line here, a naive reference in tests/references/."""

from vidtok.nn.mixers import conv_additive as conv_additive
from vidtok.nn.mixers import efficient_additive as efficient_additive
from vidtok.nn.mixers import mhsa as mhsa
from vidtok.nn.mixers import multi_axis as multi_axis
from vidtok.nn.mixers import separable as separable
from vidtok.nn.mixers import super_token as super_token
from vidtok.nn.mixers.registry import MIXERS, Mixer, make_mixer, mixer_class, mixer_options, register

__all__ = ["MIXERS", "Mixer", "make_mixer", "mixer_class", "mixer_options", "register"]
