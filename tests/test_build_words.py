"""Messages from below, in the configuration's words."""

import inspect

import pytest

from vidtok.build_words import KEYS, NETWORK_ARGUMENTS, config_words, told_in_config_words
from vidtok.errors import NotFiniteError
from vidtok.models import NETWORKS


def test_messages_from_below_name_the_keys_of_the_configuration():
    text = "raise `timeout_seconds`, lower `batch` or `max_views`, `loss`=sigmoid; another `folder`, not `x y` or `zzz`"
    assert config_words(text) == (
        "raise data.timeout_seconds, lower train.batch or eval.max_views, train.loss=sigmoid; another run.dir, "
        "not `x y` or `zzz`"
    )
    assert config_words("set `several`, `pool`=mean or `token_learner.depth`") == (
        "set train.loss=sigmoid, model.pool=mean or model.token_learner.depth"
    )
    with pytest.raises(NotFiniteError, match=r"lower train\.lr$"), told_in_config_words():
        raise NotFiniteError("lower `lr`")


def test_arguments_of_networks_are_such():
    options = {name for network in NETWORKS.values() for name in inspect.signature(network).parameters}
    assert {*NETWORK_ARGUMENTS} <= options
    assert all(KEYS[name] == f"model.{name}" for name in NETWORK_ARGUMENTS)
