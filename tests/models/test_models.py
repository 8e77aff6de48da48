"""What the package of networks offers to those who add one."""

from vidtok import models
from vidtok.models import network, registry


def test_the_names_of_the_package_are_those_of_the_table_and_the_contract():
    assert {name: getattr(models, name) for name in models.__all__} == {
        "NETWORKS": registry.NETWORKS,
        "Network": network.Network,
        "network_class": registry.network_class,
        "register": registry.register,
    }
