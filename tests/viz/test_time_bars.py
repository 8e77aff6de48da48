"""Bars whose lengths are the times."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from vidtok.viz.time_bars import COLOURS, REST_COLOUR, Bars, draw_bars


def test_bars_are_as_long_as_the_times(tmp_path, monkeypatch):
    seen = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (seen.extend(self.axes), save(self, *a, **k))[1])
    steps = [{"wait": 0.010, "forward": 0.030, "rest": 0.005}, {"forward": 0.040, "rest": 0.010}]
    means = {"wait": 0.005, "forward": 0.035, "rest": 0.0075}
    clip = {"open": 0.002, "rest": 0.001}
    panels = [Bars(title="steps", columns=steps, means=means), Bars(title="a clip", columns=[clip], means=clip)]
    draw_bars(panels, tmp_path / "bars.png")
    standing, lying = seen
    tops = [(round(bar.get_y(), 6), round(bar.get_height(), 6)) for bar in standing.patches]
    assert tops == [(0, 10), (0, 0), (10, 30), (0, 40), (40, 5), (40, 10)]
    assert [round(bar.get_width(), 6) for bar in lying.patches] == [2, 1]
    assert all(tick == round(tick) for tick in standing.xaxis.get_major_locator().tick_values(0.7, 2.3)), "whole steps"
    words = [text.get_text() for text in standing.get_legend().get_texts()]
    assert words == ["rest  7.5 ms  16%", "forward  35.0 ms  74%", "wait  5.0 ms  11%"]
    assert lying.patches[-1].get_facecolor()[:3] == pytest.approx([int(REST_COLOUR[1:3], 16) / 255] * 3)
    first = COLOURS[0]
    assert standing.patches[0].get_facecolor()[:3] == pytest.approx(
        [int(first[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    )
    assert [axis.get_title(loc="left") for axis in seen] == ["steps", "a clip"]
    assert (standing.get_xlabel(), standing.get_ylabel(), lying.get_xlabel()) == ("step", "ms", "ms")
    assert (list(lying.get_yticks()), lying.get_ylim()) == ([], (0.5, 1.5))
    for axis in seen:
        assert axis.get_axisbelow(), "bars stand before the grid"
        assert not axis.get_legend().get_frame_on()
    with Image.open(tmp_path / "bars.png") as picture:
        assert picture.size == (1210, 598)


def test_there_are_colours_for_any_number_of_parts(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: seen.extend(self.axes))
    parts = {f"p{k}": (-0.001 if k == 5 else 0.001) for k in range(12)}
    draw_bars([Bars(title="a", columns=[parts], means=parts)], tmp_path / "a.png")
    assert [round(bar.get_width(), 6) for bar in seen[0].patches] == [1] * 5 + [0] + [1] * 6
    assert len({bar.get_facecolor() for bar in seen[0].patches}) == len(COLOURS) + 1 == 11
    assert len({*COLOURS}) == 10


def test_a_panel_without_bars_is_an_error():
    with pytest.raises(ValueError, match="steps: bars need at least one column"):
        Bars(title="steps", columns=[], means={})
