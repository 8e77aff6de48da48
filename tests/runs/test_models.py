"""The table of models: its rows, its place in a file, and the published figures beside it."""

import pytest

from tests.conftest import ROOT, called
from tests.models.costs import COSTS
from vidtok.cli.models import run
from vidtok.errors import VidtokError
from vidtok.models.cost import Cost
from vidtok.models.presets import find_preset, list_models
from vidtok.models.published import CASVIT, PUBLISHED
from vidtok.runs import models
from vidtok.runs.models import END, START, models_table, parts_table


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_the_counted_and_the_published_figures():
    titles, rules, casvit, slow, tokens = models_table(["casvit_xs", "slow_r50", "x3d_m_tl8at3"]).splitlines()
    assert [cell.count("|") for cell in (titles, rules, casvit, slow, tokens)] == [8] * 5
    assert cells(casvit)[:6] == ["`casvit_xs`", "224²", "2.98", "3.2", "0.547", ""]
    # Counted for the clip of the published figure, which is larger than the one that the network is trained with.
    assert cells(slow) == ["`slow_r50`", "8 × 256²", "32.45", "32.45", "54.52", "54.52", "PyTorchVideo model zoo"]
    assert cells(tokens)[3:] == ["", "3.66", "", ""]


def test_parts_are_listed_to_a_depth_with_what_they_contain():
    rows = [cells(line) for line in parts_table("x3d_m_tl8at3", depth=1).splitlines()[2:]]
    assert [row[0] for row in rows] == ["x3d_m_tl8at3", "body", "encoder", "head"]
    whole, *parts = [[int(figure.replace(",", "")) for figure in row[2:]] for row in rows]
    assert whole == [sum(column) for column in zip(*parts, strict=True)]
    deeper = parts_table("x3d_m_tl8at3", depth=2)
    assert "| encoder.token_learners | ModuleList |" in deeper
    assert "encoder.blocks.0" not in deeper
    assert "encoder.dropout" not in deeper


def test_the_table_is_put_between_the_markers_and_checked_there(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{START}\nold\n{END}\nbehind\n", encoding="utf-8")
    assert run(["casvit_x*", "--check", str(readme)]) == 1
    said = capsys.readouterr().out
    assert f"mend it by: python tools/model_table.py --write {readme}" in said
    assert "- old" in said
    assert "+ | `casvit_xs` |" in said
    assert run(["casvit_x*", "--write", str(readme)]) == 0
    assert readme.read_text(encoding="utf-8") == f"before\n{START}\n{models_table(['casvit_xs'])}\n{END}\nbehind\n"
    assert run(["casvit_x*", "--check", str(readme)]) == 0
    assert run(["casvit_*s", "--check", str(readme)]) == 1
    run(["casvit_x*"])
    assert capsys.readouterr().out.endswith(models_table(["casvit_xs"]) + "\n")


def test_what_is_wrong_is_said(tmp_path):
    plain = tmp_path / "plain.md"
    plain.write_text("no markers", encoding="utf-8")
    with pytest.raises(VidtokError, match=r"plain\.md: .*<!-- models:start -->"):
        run(["casvit_xs", "--check", str(plain)])
    assert plain.read_text(encoding="utf-8") == "no markers"
    with pytest.raises(VidtokError, match=r"none\.md: cannot be read"):
        run(["casvit_xs", "--write", str(tmp_path / "none.md")])
    with pytest.raises(VidtokError, match=r"fits 'casvit_q\*'; there are: casvit_m"):
        run(["casvit_q*"])


def test_the_tool_says_which_name_was_meant():
    wrong = called("models", "--model", "casvit_xx")
    assert wrong.returncode == 2
    assert "did you mean 'casvit_xs'" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_published_figures_are_those_of_known_models():
    assert set(PUBLISHED) <= set(list_models())
    assert all(stated.source and (stated.parameters or stated.macs) for stated in PUBLISHED.values())


def test_counted_figures_are_near_the_published_ones():
    """Of the table in the documents, which the next test counts again."""
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    table = page.partition(START)[2].partition(END)[0].strip().splitlines()[2:]
    lines = [line for line in table if cells(line)[0].strip("`") in PUBLISHED]
    assert len(lines) == len(PUBLISHED)
    for line in lines:
        _, _, parameters, stated, macs, stated_macs, source = cells(line)
        # The networks are built without the head that the paper's count has.
        if stated and source != CASVIT:
            assert float(parameters) == pytest.approx(float(stated), rel=0.025), line
        if stated_macs:
            assert float(macs) == pytest.approx(float(stated_macs), rel=0.015), line


@pytest.mark.slow
def test_the_readme_has_the_table(monkeypatch):
    """What test_cost counts of a model at its own clip is not counted again."""

    def build(name, *, frames, size):
        own = find_preset(name)
        return name if (frames, size) == (own.frames, own.size) else really_build(name, frames=frames, size=size)

    def count(network, *, frames, size):
        if not isinstance(network, str):
            return really_count(network, frames=frames, size=size)
        parameters, macs = COSTS[network]
        return {"": Cost(parameters=parameters, macs=macs)}

    really_build, really_count = models.build, models.count_cost
    monkeypatch.setattr(models, "build", build)
    monkeypatch.setattr(models, "count_cost", count)
    assert run(["--check", str(ROOT / "docs/models.md")]) == 0
