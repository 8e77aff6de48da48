"""Messages from below, translated."""

import pytest

from vidtok.build_words import config_words, told_in_config_words
from vidtok.errors import NotFiniteError, TrainingError


def test_messages_from_below_name_the_keys_of_the_configuration():
    text = "raise `timeout_seconds`, lower `batch` or `max_views`, `loss`=sigmoid; another `folder`, not `x y` or `zzz`"
    assert config_words(text) == (
        "raise data.timeout_seconds, lower train.batch or eval.max_views, train.loss=sigmoid; another run.dir, "
        "not `x y` or zzz"
    )
    with pytest.raises(TrainingError, match=r"lower train\.lr$") as error, told_in_config_words():
        raise NotFiniteError("lower `lr`")
    assert type(error.value) is NotFiniteError
    with pytest.raises(ValueError, match="`lr`"), told_in_config_words():
        raise ValueError("`lr`")
