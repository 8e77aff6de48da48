"""Which parameters train, and in what groups: weight decay, rates by depth, by pattern and for new layers."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from vidtok.errors import ConfigError
from vidtok.models.classifier import Classifier
from vidtok.models.network import Network

NEW = "new"
"""In `lr_scale` the parameters to which no initial weights came."""


def network_of(model: Classifier | Network) -> Network:
    """The network of a Classifier, or a bare network itself: names of parameters are told without a wrapper's part."""
    return model.network if isinstance(model, Classifier) else model


def freeze(model: Classifier | Network, patterns: Sequence[str]) -> tuple[str, ...]:
    """Exclude parameters from training; the names of those that are frozen now.

    A pattern is a name of the network's parameters, with `*` for any text; one that begins with `!` takes out of what
    the patterns before it have frozen: `["*", "!head.*"]` leaves the head alone to train (a linear probe).
    Raises ConfigError for a pattern that fits no parameter, and where none is left to train.
    """
    network = network_of(model)
    names = dict(network.named_parameters())
    frozen: dict[str, bool] = {}
    for pattern in patterns:
        found = _matching(names, pattern.removeprefix("!"), key="`freeze`")
        frozen |= dict.fromkeys(found, not pattern.startswith("!"))
    chosen = tuple(name for name in names if frozen.get(name))
    if not any(parameter.requires_grad for name, parameter in names.items() if not frozen.get(name)):
        raise ConfigError(f"`freeze`: {list(patterns)} leaves nothing to train; take something out, as by '!head.*'")
    for name in chosen:
        names[name].requires_grad_(False)
    return chosen


def parameter_groups(
    model: Classifier | Network,
    *,
    weight_decay: float,
    layer_decay: float = 1.0,
    lr_scale: Mapping[str, float] | None = None,
    new: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Every parameter that trains, in exactly one group of those with the same decay and factor of the rate.

        factor = layer_decay^(L + 1 - depth) · the factors of all patterns of `lr_scale` that fit the name

    with depths from 0 to L + 1 as the network tells them (`Network.group_matcher`; layer-wise decay: Bao et al., BEiT,
    arXiv 2106.08254). Weight decay spares parameters with one axis (norms, biases) and those that the network names
    (`Network.no_weight_decay`). The pattern `new` stands for the names in `new`. A group has `lr_scale`, which timm's
    schedules multiply in, `names`, and `new`, which tells whether its parameters had initial weights. Raises
    ConfigError for a pattern without effect.
    """
    network = network_of(model)
    trained = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    factors = dict.fromkeys(trained, 1.0)
    if layer_decay != 1.0:
        from timm.models import group_parameters

        depths: dict[str, Any] = dict(group_parameters(network, network.group_matcher(), reverse=True))
        factors = {name: layer_decay ** (max(depths.values()) - depths[name]) for name in trained}
    for pattern, factor in (lr_scale or {}).items():
        fitting = [name for name in trained if name in new] if pattern == NEW else None
        for name in _matching(trained, pattern, key="`lr_scale`") if fitting is None else fitting:
            factors[name] *= factor

    groups: dict[tuple[float, float, bool], dict[str, Any]] = {}
    spared = network.no_weight_decay()
    decays = {name: 0.0 if name in spared or trained[name].ndim < 2 else weight_decay for name in trained}
    for name in sorted(trained, key=lambda name: decays[name] > 0):  # those without decay first
        decay = decays[name]
        group = {"params": [], "weight_decay": decay, "lr_scale": factors[name], "new": name in new, "names": []}
        group = groups.setdefault((decay, factors[name], name in new), group)
        group["params"].append(trained[name])
        group["names"].append(name)
    check_partition(list(groups.values()), network)
    return list(groups.values())


def check_partition(groups: Sequence[Mapping[str, Any]], network: nn.Module) -> None:
    """Raise AssertionError unless every parameter that trains is in exactly one group."""
    grouped = sorted(id(parameter) for group in groups for parameter in group["params"])
    trained = sorted(id(parameter) for parameter in network.parameters() if parameter.requires_grad)
    if grouped != trained:
        raise AssertionError(f"{len(trained)} parameters train, but the groups hold {len(grouped)}, or others")


def _matching(names: Collection[str], pattern: str, *, key: str) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        beginnings = sorted({name.split(".")[0] for name in names})
        raise ConfigError(
            f"{key}: {pattern!r} fits no parameter of the network; their names begin with {', '.join(beginnings)}"
        )
    return found
