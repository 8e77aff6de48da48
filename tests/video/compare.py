"""Holds a backend against `pyav`, file by file: `python -m tests.video.compare BACKEND FILE…`, a JSON line for each.

In a process of its own, since a decoder may crash or hang on a file. Keys of a line: `error` (a DecodeError's text), or
`largest` and `scaled_mean` (differences in grey levels: the largest at full size, the mean when scaled to 64).
"""

import json
import random
import sys

import torch

from vidtok.errors import DecodeError
from vidtok.types import Frames
from vidtok.video.reader import open_video


def pictures(path: str, backend: str, indices: list[int]) -> tuple[Frames, Frames, tuple[int, int], int]:
    with open_video(path, backend=backend) as video:
        return video.frames_at(indices), video.frames_at(indices[:2], short_side=64), video.size, len(video)


def compare(path: str, backend: str) -> dict[str, object]:
    with open_video(path) as video:
        length = len(video)
    rng = random.Random(0)
    indices = [length - 1, 0, *(rng.randrange(length) for _ in range(2))]
    try:
        expected = pictures(path, "pyav", indices)
    except DecodeError:  # damage in the middle: the beginning is good
        indices = [2, 0, 1]
        expected = pictures(path, "pyav", indices)
    try:
        got = pictures(path, backend, indices)
    except DecodeError as error:
        return {"error": str(error)}
    assert got[2:] == expected[2:], f"size, length {got[2:]}, by pyav {expected[2:]}"
    assert torch.equal(got[0].pts_seconds, expected[0].pts_seconds)
    largest = int((got[0].pixels.int() - expected[0].pixels.int()).abs().max())
    scaled_mean = float((got[1].pixels.float() - expected[1].pixels.float()).abs().mean())
    return {"largest": largest, "scaled_mean": scaled_mean}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[2:]:
        print(json.dumps({"file": name, **compare(name, sys.argv[1])}), flush=True)
