import pytest

from vidtok.errors import ModelError
from vidtok.models import NETWORKS, network_class
from vidtok.models.vivit import ViViT


def test_a_name_gives_its_class():
    assert network_class("vivit") is ViViT
    assert all(network_class(name) is cls for name, cls in NETWORKS.items())


def test_a_wrong_name_says_which_was_meant():
    with pytest.raises(ModelError, match=r"did you mean 'vivit'.*Known: .*vivit_factorised"):
        network_class("vivitt")
