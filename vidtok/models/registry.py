"""The table of networks, and the decorator that enters a class in it."""

import difflib
from collections.abc import Callable
from typing import TypeVar

from vidtok.errors import ModelError
from vidtok.models.network import Network

NETWORKS: dict[str, type[Network]] = {}
NetworkClass = TypeVar("NetworkClass", bound=type[Network])


def register(name: str) -> Callable[[NetworkClass], NetworkClass]:
    """Enter a network under `name`; the class comes back untouched. Its keyword-only options are the config's keys.

    Raises ModelError for a class that is no Network, and for a name that another one has.
    """

    def enter(cls: NetworkClass) -> NetworkClass:
        if not (isinstance(cls, type) and issubclass(cls, Network)):
            raise ModelError(f"network {name!r}: {cls!r} does not derive from vidtok.models.network.Network")
        if name in NETWORKS and NETWORKS[name] is not cls:
            raise ModelError(f"two networks are called {name!r}: {NETWORKS[name].__qualname__} and {cls.__qualname__}")
        NETWORKS[name] = cls
        return cls

    return enter


def network_class(name: str) -> type[Network]:
    """The network behind a name; ModelError with the known names, nearest first, where there is none."""
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        raise ModelError(f"there is no network {name!r}{hint} Known: {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]
