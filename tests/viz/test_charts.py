"""Charts: what is drawn stands where it should, and words cannot become markup."""

import math
import re

import pytest
import torch

from tests.viz.reading import read_page
from vidtok.viz.charts import POINTS, SHOWN_BARS, Bar, Line, bars, clean, line_chart, matrix, reliability_chart, short

NASTY = '</script><img src="a">&"\'\udcff'


def points_of(svg):
    found = re.findall(r'points="([^"]*)"', svg)
    return [[tuple(map(float, pair.split(","))) for pair in run.split()] for run in found]


def test_a_line_goes_from_corner_to_corner():
    svg = line_chart(Line(name="loss", steps=[10, 20, 30], values=[3.0, 2.0, 1.0]))
    (run,) = points_of(svg)
    assert run == [(66.0, 10.0), (239.0, 92.0), (412.0, 174.0)]
    assert ">10<" in svg
    assert ">30<" in svg
    assert "step 20: 2" in svg
    assert "last 1" in svg
    read_page(svg)


def test_a_share_keeps_the_axis_of_zero_to_one():
    (run,) = points_of(line_chart(Line(name="top1", steps=[0, 1], values=[0.5, 0.5]), unit=True))
    assert [y for _, y in run] == [92.0, 92.0]
    (flat,) = points_of(line_chart(Line(name="loss", steps=[0, 1], values=[7.0, 7.0])))
    assert [y for _, y in flat] == [92.0, 92.0]


def test_what_is_not_known_is_a_gap():
    svg = line_chart(Line(name="loss", steps=[1, 2, 3, 4, 5, 6], values=[1.0, 2.0, None, math.nan, 1.0, 2.0]))
    assert [len(run) for run in points_of(svg)] == [2, 2]
    assert line_chart(Line(name="loss", steps=[1, 2], values=[None, math.inf])) == ""
    assert line_chart(Line(name="loss", steps=[], values=[])) == ""
    assert "<circle" in line_chart(Line(name="loss", steps=[3], values=[1.0]))


def test_a_long_line_is_thinned_and_keeps_its_end():
    steps = list(range(1, 3 * POINTS + 2))
    (run,) = points_of(line_chart(Line(name="loss", steps=steps, values=[float(step) for step in steps])))
    assert len(run) <= POINTS
    assert run[-1] == (412.0, 10.0)


def test_bars():
    html = bars([Bar(name="wave", value=0.25, note="4 videos"), Bar(name="jump", value=None), Bar(name="x", value=1.5)])
    assert re.findall(r"width:([\d.]+)%", html) == ["25.0", "0.0", "100.0"]
    assert "0.250" in html
    assert "none" in html
    assert "<details>" not in html
    many = bars([Bar(name=str(i), value=0.5) for i in range(SHOWN_BARS + 3)])
    assert "<summary>3 more</summary>" in many
    read_page(many)


def test_a_matrix():
    html = matrix(torch.tensor([[3, 1], [0, 0]]), ["a", "b"])
    cells = re.findall(r"<td([^>]*)>(\d*)</td>", html)
    assert [count for _, count in cells] == ["3", "1", "", ""]
    assert [float(share) for share in re.findall(r"--share:([\d.]+)", html)] == [0.75, 0.25, 0.0, 0.0]
    assert ["class=own" in words for words, _ in cells] == [True, False, False, True]
    assert "a taken for b: 1 of 4" in html
    read_page(html)


def test_reliability():
    svg = reliability_chart([(0.25, 0.5, 1), (1.0, 0.0, 4)])
    dots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', svg)
    assert [tuple(map(float, dot)) for dot in dots] == [(92.5, 115.0, 6.0), (250.0, 220.0, 9.0)]
    assert "confidence 0.25: 0.50 right of 1" in svg
    read_page(reliability_chart([]))


@pytest.mark.parametrize(
    "html",
    [
        bars([Bar(name=NASTY, value=0.5, note=NASTY)]),
        matrix(torch.tensor([[1, 0], [0, 1]]), [NASTY, "b"]),
        line_chart(Line(name=NASTY, steps=[1, 2], values=[1.0, 2.0])),
    ],
)
def test_words_stay_words(html):
    assert "img" not in read_page(html).tags
    html.encode()


def test_names_that_are_not_utf8_are_escaped():
    assert clean("a<\udcff&") == "a&lt;\\udcff&amp;"


def test_levels_ends_and_dots_are_where_they_say():
    svg = line_chart(Line(name="loss", steps=[10, 30], values=[1.0, 4.0]))
    levels = re.findall(r'y="([\d.]+)" text-anchor="end">([\d.]+)<', svg)
    assert {words: float(y) for y, words in levels[:3]} == {"1": 178.0, "2.5": 96.0, "4": 14.0}
    lines = [float(y) for y in re.findall(r'class="grid" x1="66" x2="412" y1="([\d.]+)"', svg)]
    assert sorted(lines) == [10.0, 92.0, 174.0]
    assert re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg) == [("66.0", "174.0"), ("412.0", "10.0")]
    assert 'aria-label="loss over steps 10 to 30, last 4"' in svg
    for count, dots in ((40, 40), (41, 0)):
        steps = list(range(count))
        assert line_chart(Line(name="loss", steps=steps, values=steps)).count("<circle") == dots
    shares = line_chart(Line(name="top1", steps=[0, 1], values=[0.25, 0.5]))
    assert re.findall(r'text-anchor="end">([\d.]+)<', shares)[:3] == ["0.25", "0.375", "0.5"], (
        "no axis of 0 to 1 unasked"
    )
    one = line_chart(Line(name="loss", steps=[3], values=[1.0]))
    assert re.findall(r'cx="([\d.]+)"', one) == ["239.0"], "a single step stands in the middle"


def test_as_many_points_as_there_is_room_for_are_kept():
    for count, kept in ((POINTS, POINTS), (POINTS + 1, POINTS // 2 + 1)):
        steps = list(range(count))
        (run,) = points_of(line_chart(Line(name="loss", steps=steps, values=steps)))
        assert len(run) == kept
    assert "<details>" not in bars([Bar(name="a", value=0.5)] * SHOWN_BARS)


def test_the_axes_of_reliability():
    svg = reliability_chart([(0.5, 0.5, 2)])
    frame = re.search(r'<rect class="frame" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    assert frame is not None
    assert [float(each) for each in frame.groups()] == [40, 10, 210, 210]
    assert '<line class="grid" x1="40.0" y1="220.0" x2="250.0" y2="10.0"/>' in svg
    below = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([\d.]+)<', svg)
    beside = re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="end">([\d.]+)<', svg)
    assert below == [("40.0", "0"), ("145.0", "0.5"), ("250.0", "1")]
    assert beside == [("224.0", "0"), ("119.0", "0.5"), ("14.0", "1")]
    gap = re.search(r'class="gap" x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)" y2="([\d.]+)"', svg)
    assert gap is not None
    assert [float(each) for each in gap.groups()] == [145, 145, 115, 115]


@pytest.mark.parametrize(
    ("value", "marks"), [(1e-4, ["0", "0.0001", "0.0002"]), (0.0, ["-1", "0", "1"]), (-2.0, ["-4", "-2", "0"])]
)
def test_a_constant_stands_in_the_middle_of_an_axis_of_its_own_size(value, marks):
    svg = line_chart(Line(name="learning rate", steps=[0, 1], values=[value, value]))
    assert re.findall(r'text-anchor="end">(-?[\d.]+)<', svg)[:3] == marks


@pytest.mark.parametrize(
    ("number", "words"),
    [
        *((0.356, "0.356"), (1.0, "1"), (0.0, "0"), (0.0125, "0.0125"), (0.00125, "0.00125"), (12345.0, "1.23e4")),
        *((0.000976, "9.76e-4"), (-0.000976, "-9.76e-4"), (1.54e-08, "1.54e-8"), (-0.0125, "-0.0125")),
    ],
)
def test_numbers_beside_an_axis_have_room(number, words):
    assert short(number) == words
    assert len(short(number)) <= 8
    chart = line_chart(Line(name="lr", steps=[0, 1], values=[number, number + abs(number)]))
    assert f">{short(number)}</text>" in chart or number == 0
