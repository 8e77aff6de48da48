"""The bench of scaling: exponents are those of the numbers, what is skipped or taken apart is told, files agree."""

import json
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image

from tests.conftest import ROOT
from tests.opened import opened


@pytest.fixture(scope="module")
def bench():
    with opened(ROOT / "tools" / "bench_scaling.py") as module:
        yield module


class Pass:
    """A pass that is not made: whose it would be, and how many tokens it has."""

    def __init__(self, mixer, part, tokens):
        self.mixer, self.part, self.tokens = type(mixer).__name__, part, tokens
        self.made = 0


@pytest.fixture
def run(bench, monkeypatch, tmp_path, capsys):
    """The tool with made-up seconds, `seconds(pass)`: the file, and the printed lines."""

    def call(seconds, *arguments):
        def calls(mixer, tokens):
            parts = [bench.WHOLE, bench.AMONG] if type(mixer).__name__ == "SuperToken" else [bench.WHOLE]
            return {part: Pass(mixer, part, tokens.shape[1:4].numel()) for part in parts}

        monkeypatch.setattr(bench, "make_calls", calls)
        monkeypatch.setattr(bench, "seconds_of", lambda each, _clock: seconds(each))
        file = tmp_path / "scaling.json"
        small = ["--width", "16", "--heads", "2", "--size", "64", "--sizes", "64", "128", "--threads", "1"]
        monkeypatch.setattr(sys, "argv", ["bench_scaling", *small, *arguments, "--json", str(file)])
        threads = torch.get_num_threads()
        try:
            bench.main()
        finally:
            torch.set_num_threads(threads)
        return json.loads(file.read_text(encoding="utf-8")), capsys.readouterr().out

    return call


def rows_of(found, axis):
    (own,) = (each for each in found["axes"] if each["axis"] == axis)
    return {(row["mixer"], row["part"]): row for row in own["rows"]}


def cells_of(printed, mixer, part):
    """The cells of each line of the tables that is this row's, without mixer and part."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    return [line[2:] for line in lines if line[:2] == [mixer, part]]


def test_the_fit_finds_the_exponent(bench):
    exact = [(n, 3e-4 * n**1.37) for n in (100, 200, 700, 6400)]
    assert bench.fit_exponent(exact) == pytest.approx(1.37)
    # Errors of a factor of two at the middle of three even steps move the level, at an end the slope.
    assert bench.fit_exponent([(1, 1), (10, 20), (100, 100)]) == pytest.approx(1)
    assert bench.fit_exponent([(1, 1), (10, 10), (100, 200)]) == pytest.approx(1.15, abs=1e-3)
    assert bench.fit_exponent(exact[:1]) is None


def test_a_pass_is_expected_by_the_last_two_points(bench):
    assert bench.expected([(10, 9.0), (100, 1.0), (200, 4.0)], 400) == pytest.approx(16)
    assert bench.expected([(100, 1.0)], 200) is None


def test_a_small_pass_is_the_mean_of_many(bench):
    now = [0.0]

    def call():
        now[0] += 0.006

    assert bench.seconds_of(call, lambda: now[0]) == pytest.approx(0.006)
    assert now[0] == pytest.approx(0.024), "the first end behind 20 ms"


def test_what_is_too_slow_is_skipped_and_said_so(run):
    passes = []

    def seconds(each):
        passes.append((each.mixer, each.tokens))
        return each.tokens**2 * 1e-4 if each.mixer == "MHSA" else each.tokens * 1e-5

    wanted = ["--frames", "8", "16", "32", "64", "128", "--only", "mhsa", "separable", "--axes", "frames"]
    found, printed = run(seconds, *wanted, "--repeats", "2", "--limit", "5")
    rows = rows_of(found, "frames")
    slow, fast = rows["mhsa", "whole"], rows["separable", "whole"]
    # 16 places for each of 4, 8 … time steps: 64 tokens take 0.41 s, 128 take 1.6 s and 256 would take 6.6 s.
    assert [point["seconds"] for point in slow["points"]] == [pytest.approx(0.4096), pytest.approx(1.6384), *[None] * 3]
    expected = [point["expected_seconds"] for point in slow["points"]]
    assert expected[:2] == [None, None]
    assert expected[2:] == [pytest.approx(6.5536), pytest.approx(26.2144), pytest.approx(104.8576)]
    assert max(tokens for mixer, tokens in passes if mixer == "MHSA") == 128
    assert all(point["expected_seconds"] is None for point in fast["points"])
    assert slow["exponent_seconds"] == pytest.approx(2)
    (cells,) = cells_of(printed, "mhsa", "whole")
    assert cells[:3] == ["409.6", "1638.4", "skipped: a pass takes about 6.6 s"]
    assert cells[5] == "2.00 (2.00 to 2.00, up to 16 only)"
    (counted,) = cells_of(printed, "mhsa", "products")
    assert counted[:6] == ["-"] * 6, "these are not timed, and not skipped"
    counts = [4 * n * 16**2 + 2 * n**2 * 16 for n in (64, 128, 256, 512, 1024)]
    assert [point["macs"] for point in slow["points"]] == counts, "counted, run or not"
    assert "| separable | whole | 0.6 | 1.3 | 2.6 | 5.1 | 10.2 | 1.00 (1.00 to 1.00) |" in printed


def test_super_tokens_are_taken_apart(bench, run):
    def seconds(each):
        among = (each.tokens / 8) ** 2 * 1e-3
        return among + (each.tokens * 1e-3 if each.part == bench.WHOLE else 0)

    found, printed = run(seconds, "--frames", "8", "16", "32", "64", "--only", "super_token", "--axes", "frames")
    rows = rows_of(found, "frames")
    tokens = [point["tokens"] for point in rows["super_token", bench.WHOLE]["points"]]
    assert tokens == [64, 128, 256, 512]
    counts = {part: [point["macs"] for point in row["points"]] for (_, part), row in rows.items()}
    # Cells of 8 tokens with 27 neighbours each: shares, what super tokens gather, what tokens get back.
    assert counts[bench.REST] == [3 * 27 * n * 16 for n in tokens]
    assert counts[bench.AMONG] == [4 * m * 16**2 + 2 * m**2 * 16 for m in (8, 16, 32, 64)]
    assert counts[bench.AMONG_PRODUCTS] == [2 * m**2 * 16 for m in (8, 16, 32, 64)]
    sums = [rest + among for rest, among in zip(counts[bench.REST], counts[bench.AMONG], strict=True)]
    assert counts[bench.WHOLE] == sums
    rest = rows["super_token", bench.REST]
    assert [point["seconds"] for point in rest["points"]] == pytest.approx([n * 1e-3 for n in tokens])
    assert (rest["exponent_seconds"], rest["bar_met"]) == (pytest.approx(1), True)
    assert rows["super_token", bench.AMONG]["exponent_seconds"] == pytest.approx(2)
    assert cells_of(printed, "super_token", bench.REST)[0][-3:] == ["linear", "yes", "<= 1.15, met"]


def test_the_attention_that_is_timed_has_as_many_super_tokens(bench):
    mixer = bench.make_mixer(16, heads=2, spec=bench.specs()["super_token"]).eval()
    seen = []
    mixer.refine.register_forward_hook(lambda _layer, given, _output: seen.append(tuple(given[0].shape)))
    with torch.inference_mode():
        calls = bench.make_calls(mixer, torch.randn(1, 4, 6, 4, 16))
        whole = calls[bench.WHOLE]()
        among = calls[bench.AMONG]()
    assert (whole.shape, among.shape) == ((1, 4, 6, 4, 16), (1, 2, 3, 2, 16))
    assert seen == [(1, 2, 3, 2, 16)] * 2
    plain = bench.make_mixer(16, heads=2, spec={"name": "super_token", "cells": (1, 1, 1)})
    assert list(bench.make_calls(plain, torch.randn(1, 2, 2, 2, 16))) == [bench.WHOLE]


def test_the_file_holds_what_the_tables_say_and_the_picture_shows_them(bench, run, tmp_path):
    def seconds(each):
        """Two first passes that are slow, as they may be, and three turns, of which the first is the median."""
        each.made += 1
        part = 0.1 if each.part == bench.AMONG else 1.0
        return part * each.tokens**1.3 * 1e-5 * (50, 50, 2, 1, 4)[each.made - 1]

    sizes = ["--frames", "8", "64", "--tokens", "1", "4"]
    picture = tmp_path / "scaling.png"
    found, printed = run(seconds, *sizes, "--repeats", "3", "--plot", str(picture))
    assert (found["threads"], found["width"], found["heads"], found["repeats"]) == (1, 16, 2, 3)
    assert found["torch"] == torch.__version__
    assert printed.startswith("forward, float32, width 16, 2 heads, wall clock, threads=1, ")
    assert f"{found['processor']} ({found['instructions']}, {found['cores']} cores)" in printed
    assert [axis["axis"] for axis in found["axes"]] == ["frames", "picture", "tokens"]
    assert {mixer for mixer, _ in rows_of(found, "frames")} == {*bench.MIXERS, "multi_axis_grid"}
    assert {mixer for mixer, _ in rows_of(found, "tokens")} == {"mhsa", "separable", "efficient_additive"}
    without = {left["mixer"] for left in found["axes"][2]["left_out"]}
    assert without == {"super_token", "multi_axis", "multi_axis_grid", "conv_additive"}
    assert "| super_token | needs the grid, which TokenLearner does not leave |" in printed
    told = {}
    for axis in found["axes"]:
        for row in axis["rows"]:
            place = told[row["mixer"], row["part"]] = told.get((row["mixer"], row["part"]), -1) + 1
            cells = cells_of(printed, row["mixer"], row["part"])[place]
            count = len(row["points"])
            timed = [None if cell == "-" else float(cell) for cell in cells[:count]]
            kept = [None if point["seconds"] is None else point["seconds"] * 1e3 for point in row["points"]]
            assert timed == [None if value is None else pytest.approx(value, abs=0.051) for value in kept]
            if row["exponent_seconds"] is not None:
                assert cells[count].startswith(f"{row['exponent_seconds']:.2f} (")
            assert cells[count + 1] == f"{row['exponent_macs']:.2f}"
            assert cells[count + 2] == (row["claim"] or "-")
            assert cells[count + 3] == {True: "yes", False: "no", None: "-"}[row["borne_out"]]
            assert row["source"] is None or f"{row['mixer']}, {row['part']}: {row['source']}" in printed
    conv = rows_of(found, "frames")["conv_additive", "whole"]
    assert conv["points"][0]["turns"] == pytest.approx([64**1.3 * 1e-5 * times for times in (2, 1, 4)])
    assert conv["points"][0]["seconds"] == pytest.approx(2 * 64**1.3 * 1e-5)
    assert (conv["exponent_seconds"], conv["bar_met"]) == (pytest.approx(1.3), False)
    assert "| <= 1.15, missed |" in printed
    assert rows_of(found, "picture")["conv_additive", "whole"]["bar"] is None, "the bar is one of frames"
    with Image.open(picture) as shown:
        shown.load()
        assert (shown.format, shown.size) == ("PNG", (1620, 1000))
        assert len(shown.convert("RGB").getcolors(2**20)) > 20, "lines in colours of their own"


def test_claims_are_judged_by_the_count(bench):
    axis = bench.Axis(name="frames", title="frames", sizes=(8, 64), grid=lambda n: (n, 1, 1), fit=(8, 64), needs="")

    def judged(exponent, *, fit=(8, 64), skipped=()):
        own = replace(axis, fit=fit)
        points = [{"size": n, "tokens": n, "macs": n**exponent, "turns": [n**1.1]} for n in (8, 16, 64)]
        for point in points:
            if point["size"] in skipped:
                point["turns"] = None
        return bench.judge("multi_axis", bench.WHOLE, points, own)

    assert (judged(1.04)["borne_out"], judged(1.06)["borne_out"], judged(2)["borne_out"]) == (True, False, False)
    assert judged(1)["bar_met"] is True
    assert judged(1, fit=(8, 16))["bar_met"] is None, "over another range it says nothing of the bar"
    assert judged(1, skipped=(64,))["bar_met"] is None, "nor where the longest clip was not run"


def test_sizes_that_no_tubelet_fills_are_refused(run, capsys):
    with pytest.raises(SystemExit):
        run(lambda each: 1.0, "--frames", "8", "17")
    assert "--frames: 17 is no multiple of 2, a tubelet's extent" in capsys.readouterr().err
