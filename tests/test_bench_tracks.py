"""The benchmark of maps against tracks: its clips, its measure, its table and its file."""

import json

import pytest
import torch

from tests.conftest import ROOT
from tests.opened import opened


@pytest.fixture(scope="module")
def bench():
    with opened(ROOT / "tools" / "bench_tracks.py") as module:
        yield module


def test_the_object_is_where_its_track_says_and_nothing_else_moves(bench):
    clips, labels, tracks = bench.clips(12, seed=3)
    assert clips.shape == (12, 8, 3, 64, 64)
    assert set(labels.tolist()) == {0, 1, 2, 3}
    places = torch.arange(64.0)
    for clip, label, track in zip(clips, labels, tracks, strict=True):
        moved = (clip[-1] - clip[0]).abs().mean(0) > 0.3  # the noise of two frames is 0.07
        from_ends = [
            ((places[:, None] - row) ** 2 + (places[None] - column) ** 2).sqrt()
            for row, column in (track[0], track[-1])
        ]
        reached = torch.minimum(*from_ends) <= bench.RADIUS + 0.5
        assert not (moved & ~reached).any()
        assert (moved & reached).sum() > 0.7 * (reached.sum() - (torch.maximum(*from_ends) < bench.RADIUS).sum())
        down, right = bench.DIRECTIONS[label]
        step, speed = (track[1:] - track[:-1]).mean(0), float((track[1] - track[0]).norm())
        assert step.tolist() == pytest.approx([down * speed, right * speed], abs=1e-4)
        assert bench.SPEEDS[0] <= speed <= bench.SPEEDS[1]
    again = bench.clips(12, seed=3)
    assert torch.equal(again[0], clips)


def test_a_map_s_centre_is_its_centre_of_mass_in_pixels(bench):
    maps = torch.zeros(3, 8, 8)
    maps[0, 2, 5] = 4.0
    maps[1, 0, 0], maps[1, 0, 3] = 1.0, 3.0
    assert bench.centres(maps).tolist() == [
        pytest.approx([20.0, 44.0]),
        pytest.approx([4.0, 22.0]),
        pytest.approx([32.0, 32.0]),
    ]


def test_the_correlation_is_pearson_s_with_rows_and_columns_less_their_own_means(bench):
    track = torch.rand(5, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert bench.correlation(0.1 * track + torch.tensor([3.0, -8.0]), track) == pytest.approx(1.0)
    assert bench.correlation(-track, track) == pytest.approx(-1.0)
    assert bench.correlation(torch.ones_like(track), track) == 0.0
    one, other = torch.rand(2, 40, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
    assert bench.correlation(one, other) == pytest.approx(float(expected))


def test_table_and_file(bench, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "SIZES", {**bench.SIZES, "width": 12, "depth": 1, "heads": 2})
    file = tmp_path / "tracks.json"
    bench.main(["TokenLearner, first", "attention, class token", "--steps", "1", "--json", str(file)])
    first, second = json.loads(file.read_text())
    assert first["correlation"].keys() == {"token 1", "token 2", "token 3", "token 4", "tokens", "gradient"}
    assert second["correlation"].keys() == {"query", "rollout", "gradient"}
    told = capsys.readouterr().out
    for row in (first, second):
        assert all(-1 <= value <= 1 for value in row["correlation"].values())
        assert f"| {row['row']} | {row['accuracy']:.2f} | " in told
        assert all(f"{kind} {value:.2f}" in told for kind, value in row["correlation"].items())
    with pytest.raises(SystemExit):
        bench.main(["TokenLearner"])
    assert "no row is called 'TokenLearner'" in capsys.readouterr().err


@pytest.mark.parametrize("tool", sorted(each.name for each in (ROOT / "tools").glob("bench_*.py")))
def test_every_benchmark_writes_its_figures_into_a_file(tool):
    assert 'add_argument("--json"' in (ROOT / "tools" / tool).read_text(encoding="utf-8")
