"""The table of kinds: what is asked, what is refused, and that each kind has its page."""

import pytest

from tests.conftest import ROOT
from tests.infer.pictures.scenes import LEARNED, network_of, scene_of
from vidtok.errors import ModelError
from vidtok.infer.pictures import KINDS, WORDS, Point, Shown, ask_kinds
from vidtok.nn.looks import at_rest


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, {"attention", "query", "rollout", "gradient", "time"}),
        ({"token_learner": LEARNED}, {"attention", "tokens", "query", "rollout", "gradient", "time"}),
        ({"pool": "cls"}, {"attention", "query", "rollout", "gradient", "time"}),
        ({"mixer": {"name": "super_token"}}, {"attention", "query", "rollout", "super_tokens", "gradient", "time"}),
        ({"mixer": {"name": "multi_axis"}}, {"attention", "query", "rollout", "windows", "gradient", "time"}),
        ({"mixer": {"name": "conv_additive"}}, {"attention", "context", "gradient", "time"}),
        ({"mixer": {"name": "efficient_additive"}}, {"attention", "context", "gradient", "time"}),
    ],
)
def test_all_is_what_the_network_has(options, kinds):
    network = network_of(**options)
    with at_rest(network):
        found = ask_kinds(scene_of(network), ["all"])
    assert set(found) == kinds
    assert all(panels for panels in found.values())


def test_a_kind_that_shows_nothing_names_those_that_do():
    network = network_of()
    with at_rest(network):
        with pytest.raises(ModelError, match="no TokenLearner; of this one there are attention, gradient, query, roll"):
            ask_kinds(scene_of(network), ["attention", "tokens"])
        with pytest.raises(ModelError, match="no kind of picture 'rolout'; did you mean 'rollout'"):
            ask_kinds(scene_of(network), ["rolout"])
        with pytest.raises(ModelError, match=r"`layer`=3: query has layers 1 to 2 here: 1 encoder\.blocks\.0"):
            ask_kinds(scene_of(network, layer=3), ["query"])


def test_a_point_falls_into_its_own_place():
    assert Point(time=0.5, y=0.26, x=0.99).on((4, 4, 8)) == (2, 1, 7)
    assert Point(time=1.0, y=0.0, x=1.0).on((4, 4, 8)) == (3, 0, 7)


def test_a_panel_shows_something():
    with pytest.raises(ValueError, match="a panel shows a map, regions or numbers over time"):
        Shown(title="a", place="b", query="c", meaning="d")


def test_every_kind_is_in_the_manual_and_in_the_command_s_help(capsys):
    from vidtok.cli import visualize

    page = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        visualize.run(["--help"])
    told = capsys.readouterr().out
    for name in KINDS:
        assert f"| `{name}` |" in page
        assert name in told
        assert WORDS[name]
