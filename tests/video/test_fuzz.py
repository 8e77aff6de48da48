"""Broken copies of small videos end in frames or a DecodeError: never in another exception, a crash or a hang."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.video.clips import GROUPS, make_clip
from tests.video.test_real_files import DECODABLE, VIDEOS, needs_videos

SEED = 20240607
ROOT = Path(__file__).parents[2]


def run(first: int, count: int, files: list[Path], *, seconds: float) -> None:
    command = [sys.executable, "-m", "tests.video.mutate", str(SEED), str(first), str(count), *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"exit {done.returncode} after: {lines[-1:]}\n{done.stderr[-2000:]}"
    slowest = float(lines[-1].split()[-2])
    assert slowest < 15, lines[-1]


def test_generated_clips(tmp_path: Path):
    names = ["a.mp4", "b.mkv", "c.ts", "d.avi", "e.flv"]
    files = [make_clip(tmp_path / name, frames=30, options=GROUPS["keyframe every 12, B-frames"]) for name in names]
    files.append(make_clip(tmp_path / "f.webm", frames=30, codec="libvpx"))
    files.append(make_clip(tmp_path / "g.avi", frames=30, codec="mpeg4", options={"bf": "2"}))
    run(0, 300, files, seconds=120)


@needs_videos
@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_mutations_of_real_files(part: int):
    """Of the smallest file of each codec and container: a change spoils as much of it, and it is read sooner."""
    files = sorted((VIDEOS / "hard" / row["path"] for row in DECODABLE), key=lambda file: -file.stat().st_size)
    kinds = {VIDEOS / "hard" / row["path"]: (row["codec"], row["fmt"]) for row in DECODABLE}
    smallest = {kinds[file]: file for file in files if file.stat().st_size < 150_000}
    assert len(smallest) >= 10
    run(1000 * part, 1000, sorted(smallest.values()), seconds=590)
