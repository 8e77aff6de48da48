"""Bars whose lengths are the times."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from vidtok.viz.time_bars import REST_COLOUR, Bars, draw_bars


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
    with Image.open(tmp_path / "bars.png") as picture:
        assert picture.width == 1210


def test_a_panel_without_bars_is_an_error():
    with pytest.raises(ValueError, match="steps: bars need at least one column"):
        Bars(title="steps", columns=[], means={})
