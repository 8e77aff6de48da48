import pytest
import torch

from vidtok.errors import ModelError
from vidtok.models.options import check_options, plain, typed_options
from vidtok.models.vivit_sizes import VIVIT
from vidtok.nn.token_learner import TokenLearnerOptions


def test_plain_options_hold_json_alone_and_come_back_typed():
    learner = TokenLearnerOptions(after_block=1, tokens=3)
    given = {"tubelet": (2, 4, 4), "token_learner": learner, "mixer": VIVIT["vivit_b16x2_fsa"]["mixer"]}
    options = plain(given)
    assert options["tubelet"] == [2, 4, 4]
    assert options["mixer"] == [[{"name": "mhsa", "axes": "space"}, {"name": "mhsa", "axes": "time"}]]
    typed = typed_options("vivit", options)
    assert typed["tubelet"] == (2, 4, 4)
    assert typed["token_learner"] == learner
    assert plain(typed) == options


def test_values_that_json_cannot_hold_are_refused():
    with pytest.raises(TypeError, match="neither a number"):
        plain({"width": torch.ones(1)})


def test_all_problems_come_together_below_a_path():
    problems, _ = check_options("vivit", {"widht": 3, "depth": "two", "mixer": {"name": "mhs"}}, at=("model",))
    assert [problem.partition(":")[0] for problem in problems] == ["model.depth", "model.widht", "model.mixer.name"]
    with pytest.raises(ModelError, match=r"options of vivit:\n  widht: unknown key; did you mean 'width'"):
        typed_options("vivit", {"widht": 3})


@pytest.mark.parametrize("key", ["classes", "frames", "size"])
def test_what_the_builder_knows_is_no_option(key):
    with pytest.raises(ModelError, match=f"{key}: unknown key"):
        typed_options("casvit", {key: 4})


def test_a_network_without_mixers_refuses_one():
    with pytest.raises(ModelError, match="mixer: unknown key"):
        typed_options("casvit", {"mixer": {"name": "mhsa"}})
