"""Messages from below in the configuration's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from vidtok.config import EvalConfig, RunConfig
from vidtok.config_data import DataConfig
from vidtok.config_train import TrainConfig
from vidtok.errors import VidtokError

SECTIONS = {"eval": EvalConfig, "run": RunConfig, "data": DataConfig, "train": TrainConfig}
KEYS = {key: f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields} | {
    "folder": "run.dir"
}
"""Arguments by the keys that they come from; of two sections that have the same key, that of the last one here."""


def config_words(text: str) -> str:
    """A message from below, where an argument stands as `name`, with the configuration's keys for arguments.

    An argument that is no key, or whose key has another name, stays as it is, without its marks.
    """
    return re.sub(r"`(\w+)`", lambda found: KEYS.get(found[1], found[1]), text)


@contextmanager
def told_in_config_words() -> Iterator[None]:
    """Errors from below with the configuration's keys for arguments."""
    try:
        yield
    except VidtokError as error:
        words = config_words(str(error))
        if words == str(error):
            raise
        raise type(error)(words) from error
