"""Messages name arguments; whoever gave them under another name reads that one."""

import pytest

from vidtok.errors import ConfigError
from vidtok.text.arguments import renamed, told_with

NAMES = {"batch": "train.batch", "token_learner": "model.token_learner", "workers": "--workers"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lower `batch`", "lower train.batch"),
        ("set `token_learner.after_block` to 0 … 3", "set model.token_learner.after_block to 0 … 3"),
        ("`workers`=0, `workers` or workers", "--workers=0, --workers or workers"),
        ("another `folder`, not `two words` nor `a batch`", "another `folder`, not `two words` nor `a batch`"),
    ],
)
def test_arguments_get_the_names_that_their_caller_knows(text, told):
    assert renamed(text, NAMES) == told


class Marked(ConfigError):
    def __init__(self, place, *, line):
        super().__init__(f"{place}: lower `batch`")
        self.line = line


def test_an_error_stays_the_same_one():
    with pytest.raises(Marked, match=r"^a: lower train\.batch$") as error, told_with(NAMES):
        raise Marked("a", line=3)
    assert error.value.line == 3
    assert error.value.__cause__ is None
    with pytest.raises(ValueError, match="`batch`"), told_with(NAMES):
        raise ValueError("`batch`")


def test_a_function_tells_so_every_time():
    @told_with(NAMES)
    def fails(name):
        raise ConfigError(f"`{name}`")

    for name, told in (("batch", "train.batch"), ("workers", "--workers"), ("batch", "train.batch")):
        with pytest.raises(ConfigError, match=f"^{told}$"):
            fails(name)
