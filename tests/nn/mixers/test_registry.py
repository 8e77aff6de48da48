"""Mixers by name: which options reach them, and what is refused."""

import pytest
from torch import nn

from vidtok.errors import ModelError
from vidtok.nn.mixers import MIXERS, make_mixer, mixer_class, mixer_options, register


def test_the_networks_heads_go_to_mixers_that_have_heads():
    assert make_mixer(24, heads=3, spec={"name": "mhsa"}).heads == 3
    assert make_mixer(24, heads=3, spec={"name": "mhsa", "heads": 6}).heads == 6
    assert "heads" not in mixer_options("conv_additive")
    make_mixer(24, heads=3, spec={"name": "conv_additive"})


def test_options_that_a_mixer_does_not_have_are_refused():
    with pytest.raises(ModelError, match=r"'conv_additive' has no option heads.*temporal_kernel, pool"):
        make_mixer(24, heads=3, spec={"name": "conv_additive", "heads": 3})
    with pytest.raises(ModelError, match=r"'separable' has no option axes, cells\. It has: none"):
        make_mixer(24, heads=3, spec={"name": "separable", "cells": (1, 2, 2), "axes": "joint"})


def test_a_name_is_needed_and_must_be_known():
    with pytest.raises(ModelError, match=r"needs a name.*super_token"):
        make_mixer(24, heads=3, spec={"heads": 3})
    with pytest.raises(ModelError, match="did you mean 'super_token'"):
        mixer_class("supertoken")


def test_the_same_name_twice_is_refused_and_the_class_is_untouched():
    with pytest.raises(ModelError, match="two mixers are called 'mhsa'"):
        register("mhsa")(nn.Identity)
    assert register("mhsa")(MIXERS["mhsa"]) is MIXERS["mhsa"]
