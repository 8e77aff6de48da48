import re
from dataclasses import dataclass

import pytest
import torch
from pydantic import BaseModel, field_validator, model_validator

from vidtok.config import Config
from vidtok.errors import ModelError
from vidtok.models.options import OTHER_WORDS, check_options, every_option, find_problems, plain, typed_options
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


class Inner(BaseModel, extra="forbid"):
    lr: float = 0.1
    batch: int = 1

    @field_validator("batch")
    @classmethod
    def even(cls, value: int) -> int:
        if value > 9:
            raise ValueError("too many")
        return value


@dataclass
class Part:
    rows: int = 1


class Outer(BaseModel, extra="forbid"):
    train: Inner = Inner()
    weight_decay: float = 0.0
    part: Part | None = None

    @model_validator(mode="after")
    def together(self):
        if self.weight_decay < 0:
            raise ValueError("a decay below 0")
        return self


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"train": {"learning_rate": 1}}', "cfg.train.learning_rate: unknown key; did you mean 'lr'?"),
        ('{"batch_size": 2}', "cfg.batch_size: unknown key; did you mean 'train.batch'?"),
        ('{"lr": 2}', "cfg.lr: unknown key; did you mean 'train.lr'?"),
        ('{"wieght_decay": 2}', "cfg.wieght_decay: unknown key; did you mean 'weight_decay'?"),
        ('{"my_very_own_train": 2}', "cfg.my_very_own_train: unknown key; did you mean 'train'?"),
        ('{"weight": 2}', "cfg.weight: unknown key; did you mean 'weight_decay'?"),
        ('{"zzz": 2}', "cfg.zzz: unknown key; known: train, weight_decay, part"),
        ('{"part": {"zzz": 2}}', "cfg.part.zzz: unknown key; known: rows"),
        ('{"train": {"batch": 10}}', "cfg.train.batch: too many"),
        ('{"weight_decay": -1.0}', "cfg: a decay below 0"),
        ('{"weight_decay": "x"}', "cfg.weight_decay: input should be a valid number, got 'x'"),
    ],
)
def test_problems_are_told_in_words(text, said):
    assert find_problems(Outer, text, at=("cfg",)) == ([said], None)
    problems, checked = find_problems(Outer, '{"train": {"lr": 2.0}}', at=())
    assert (problems, checked.train.lr) == ([], 2.0)


def test_what_is_missing_and_mixers_of_mixers():
    problems, _ = check_options("vivit", {"token_learner": {"tokens": 3}}, at=())
    assert problems == ["token_learner.after_block: missing"]
    mixers = [[{"name": "mhsa"}, {"axes": "time"}], {"name": "mhsa", "ax": 1}]
    problems, _ = check_options("vivit", {"mixer": mixers}, at=())
    assert problems[0] == "mixer.0.1.name: missing; for example name: mhsa"
    assert problems[1].startswith("mixer.1.ax: unknown key; ")
    _, typed = check_options("vivit", {"mixer": {"name": "multi_axis", "window": [2, 2, 2]}}, at=())
    assert typed["mixer"] == {"name": "multi_axis", "window": (2, 2, 2)}


def test_words_of_other_frameworks_mean_keys_of_ours():
    sections = [field.annotation for field in Config.model_fields.values()]
    sections = [part for part in sections if isinstance(part, type) and issubclass(part, BaseModel)]
    ours = {key for part in sections for key in part.model_fields} | set(every_option("vivit", {})) | {"frames", "size"}
    assert set(OTHER_WORDS.values()) <= ours
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", word) for word in OTHER_WORDS)
    assert len(OTHER_WORDS) > 30


def test_every_option_is_told_and_the_given_ones_as_they_are_given():
    options = every_option("casvit", {"widths": [8, 12, 16, 20], "dist_head": True})
    assert (options["widths"], options["dist_head"], options["mlp_ratio"]) == ([8, 12, 16, 20], True, 4.0)
    assert not {"classes", "frames", "size", "self"} & options.keys()
    assert options["temporal_strides"] == [1, 1, 1, 1]
