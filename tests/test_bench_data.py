"""The bench of reading runs and says what it measured; what it measures is for idle machines."""

import json
from pathlib import Path

import pytest

from tests.conftest import tool


def bench(tmp_path: Path, *parts: str) -> list[dict]:
    done = tool(
        "bench_data", "--only", *parts, "--rounds", "1", "--seconds", "2.5", "--json", tmp_path / "bench.json"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert all(f"| {line['part']} | {line['files']} | {line['what']} |" in done.stdout for line in found)
    return found


def measured(found: list[dict], part: str, files: str) -> dict[str, dict]:
    return {line["what"]: line for line in found if (line["part"], line["files"]) == (part, files)}


@pytest.mark.slow
def test_a_training_clip(tmp_path: Path):
    found = bench(tmp_path, "a")
    for files in ("keyframes every 12", "keyframes every 250"):
        ways = measured(found, "a", files)
        assert {"bare PyAV loop", "vidtok", "vidtok, crop_in yuv", "torchcodec", "decord"} <= ways.keys()
        assert ways["vidtok"]["ratio"] == 1
        assert ways["vidtok"]["milliseconds"] > 1
        assert ways["bare PyAV loop"]["target"] == "≥ 0.9"
        assert 0.2 < ways["bare PyAV loop"]["ratio"] < 5


@pytest.mark.slow
def test_views_prepared_files_and_workers(tmp_path: Path):
    found = bench(tmp_path, "b", "c", "d")
    views = measured(found, "b", "keyframes every 12")
    assert views["each view"]["ratio"] > views["each clip"]["ratio"] > 1
    assert "peak memory" in views["vidtok, memory"]["note"]
    assert measured(found, "c", "720 rows")["720 rows, keyframes every 250"]["ratio"] > 2
    assert measured(found, "d", "keyframes every 250")["two bare loops"]["ratio"] > 0
