"""Messages from below, which name their own arguments, in the configuration's words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from vidtok.config import EvalConfig, RunConfig
from vidtok.config_data import DataConfig
from vidtok.config_train import TrainConfig
from vidtok.text.arguments import renamed, told_with

SECTIONS = MappingProxyType({"eval": EvalConfig, "run": RunConfig, "data": DataConfig, "train": TrainConfig})
NETWORK_ARGUMENTS = (
    *("dist_head", "encoder", "gelu", "last_norm_eps", "mixer", "norm_eps", "norm_position", "pool", "position"),
    *("time_depth", "token_learner", "token_mixer", "trained_blocks"),
)
"""Options of networks that messages name."""
OTHERS = {"folder": "run.dir", "several": "train.loss=sigmoid"}
"""Arguments that are called otherwise than their keys."""
KEYS: Mapping[str, str] = MappingProxyType(
    {key: f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields}
    | {name: f"model.{name}" for name in NETWORK_ARGUMENTS}
    | OTHERS
)
"""Arguments by the keys that they come from; of two sections that have the same key, that of the last one here."""


def config_words(text: str) -> str:
    """A message from below, where an argument stands as `name`, with the configuration's keys for arguments."""
    return renamed(text, KEYS)


@contextmanager
def told_in_config_words() -> Iterator[None]:
    """Errors from below with the configuration's keys for arguments; stands before a function too."""
    with told_with(KEYS):
        yield
