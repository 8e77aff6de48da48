"""The table of networks."""

import pytest

from vidtok.errors import ModelError
from vidtok.models import NETWORKS
from vidtok.models.registry import network_class, register


def test_a_class_comes_back_untouched_and_may_be_entered_twice():
    for name, cls in NETWORKS.items():
        assert network_class(name) is cls
        assert register(name)(cls) is cls


def test_a_name_that_is_not_there_is_answered_with_the_nearest_and_all():
    with pytest.raises(ModelError, match=r"there is no network 'vivitt', did you mean 'vivit'\? Known: ") as told:
        network_class("vivitt")
    assert str(told.value).endswith(", ".join(sorted(NETWORKS)))
    with pytest.raises(ModelError, match=r"there is no network 'qqq'\. Known: "):
        network_class("qqq")
