"""Conformance on real files, odd, hard and broken ones. `VIDTOK_VIDEOS` names the folder that holds `clips_real`
(any videos) and `hard` (with `manifest.csv`: for each file the number of frames that decode, its tags, its error)."""

import csv
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
import torch
from av.error import FFmpegError

from vidtok.errors import DecodeError
from vidtok.video.reader import open_video

VIDEOS = Path(os.environ.get("VIDTOK_VIDEOS", "/nonexistent"))
needs_videos = pytest.mark.skipif(not VIDEOS.is_dir(), reason="set VIDTOK_VIDEOS to a folder with clips_real and hard")

MANIFEST: list[dict[str, str]] = []
if (VIDEOS / "hard/manifest.csv").is_file():
    with open(VIDEOS / "hard/manifest.csv", encoding="utf-8", newline="") as file:
        MANIFEST = list(csv.DictReader(file))
DECODABLE = [row for row in MANIFEST if int(row["pyav_decoded"] or 0) > 0]
BROKEN = [row for row in MANIFEST if int(row["pyav_decoded"] or 0) == 0]
REAL = sorted(path for path in (VIDEOS / "clips_real").rglob("*") if path.suffix in {".mp4", ".avi", ".mkv", ".mpg"})
# Encrypted, or full of errors: what comes out is the decoder's repair, which differs with what it decoded before.
NOISE = {"mp4ff/cbcs.mp4", "derived/bitflip200_h264.mp4"}


def reference(path: Path) -> tuple[list[av.VideoFrame], bool]:
    """Every frame up to the first error in the order of showing, by PyAV alone, and whether there was an error."""
    frames: list[av.VideoFrame] = []
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        try:
            frames.extend(container.decode(stream))
        except FFmpegError:
            return frames, True
    return frames, False


def check(path: Path, *, frames: int | None, same_pictures: bool = True) -> None:
    expected, broken = reference(path)
    assert frames is None or len(expected) == frames
    with open_video(path) as video:
        if not broken:
            assert len(video) == len(expected)
        assert bool((video.pts_seconds.diff() > 0).all())
        whole = video.frames_at(range(len(expected)), short_side=32)
        assert len(whole) == len(expected)
        with pytest.raises(DecodeError, match=r"frame|has frames") as raised:
            video.frames_at([len(expected)])
        assert str(path) in str(raised.value)
        y, x = video.size
        assert whole.pixels.shape[-2:] == ((32, 32 * x // y) if y <= x else (32 * y // x, 32))
        rng = random.Random(0)
        for _ in range(4):
            indices = [rng.randrange(len(expected)) for _ in range(3)]
            got = video.frames_at(indices)
            assert not same_pictures or torch.equal(
                video.frames_at(indices, short_side=32).pixels, whole.pixels[indices]
            )
            for pixels, index in zip(got.pixels, indices, strict=True):
                frame = expected[index]
                plain = frame.rotation == 0 and (frame.height, frame.width) == (y, x) and not frame.interlaced_frame
                if same_pictures and plain:
                    rgb = torch.from_numpy(frame.to_ndarray(format="rgb24"))
                    assert torch.equal(pixels.permute(1, 2, 0), rgb), f"frame {index}"


@needs_videos
@pytest.mark.slow
@pytest.mark.parametrize("row", DECODABLE, ids=lambda row: row["path"])
def test_hard_files_give_every_frame_of_the_manifest(row: dict[str, str]):
    check(VIDEOS / "hard" / row["path"], frames=int(row["pyav_decoded"]), same_pictures=row["path"] not in NOISE)


@needs_videos
@pytest.mark.slow
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_clips_give_every_frame(path: Path):
    check(path, frames=None)


@needs_videos
@pytest.mark.parametrize("row", BROKEN, ids=lambda row: row["path"])
def test_what_cannot_be_decoded_is_named_soon(row: dict[str, str]):
    started = time.monotonic()
    with pytest.raises(DecodeError, match=r": .+") as raised:
        open_video(VIDEOS / "hard" / row["path"])
    assert row["path"] in str(raised.value)
    assert time.monotonic() - started < 10


@needs_videos
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_rotation_as_decord_applies_it(angle: int):
    decord = pytest.importorskip("decord")
    path = VIDEOS / f"hard/decord/video_{angle}.mov"
    expected = torch.from_numpy(decord.VideoReader(str(path))[1].asnumpy())
    with open_video(path) as video:
        assert torch.equal(video.frames_at([1]).pixels[0].permute(1, 2, 0), expected)


MEMORY = """
import resource, sys
from vidtok.video.reader import open_video

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

for count in range(3200):
    with open_video(sys.argv[1 + count % (len(sys.argv) - 1)]) as video:
        video.frames_at([0, len(video) - 1], short_side=64)
    if count == 200:
        before = resident()
print(resident() - before)
"""


@needs_videos
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident memory from /proc")
def test_three_thousand_opens_do_not_grow_the_memory():
    files = [
        str(VIDEOS / "hard" / row["path"]) for row in DECODABLE if row["path"].startswith(("derived/ti", "media3_ts"))
    ]
    files = [file for file in files if Path(file).stat().st_size < 300_000]
    assert len(files) > 5
    done = subprocess.run([sys.executable, "-c", MEMORY, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 50 * 2**20
