"""Reads broken copies of small videos: `python -m tests.video.mutate SEED FIRST COUNT FILE…`.

Mutation number i is a function of SEED and i alone. Each must end in frames or a DecodeError; anything else ends the
process with a traceback (or a signal), after the line that names the mutation. The last line gives the totals.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from vidtok.errors import DecodeError
from vidtok.video.reader import open_video


def mutated(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    kind = rng.choice(["bits", "bytes", "truncate", "shuffle", "zeros", "cut"])
    broken = bytearray(data)
    if kind == "bits":
        for _ in range(rng.choice([1, 10, 200])):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        head = rng.choice([64, 2000, len(broken)])  # the header is where the sizes stand
        for _ in range(rng.choice([1, 10, 100])):
            broken[rng.randrange(min(head, len(broken)))] = rng.randrange(256)
    elif kind == "truncate":
        del broken[rng.randrange(len(broken)) :]
    elif kind == "shuffle":
        size = rng.choice([188, 512, 4096])
        blocks = [broken[i : i + size] for i in range(0, len(broken), size)]
        a, b = rng.randrange(len(blocks)), rng.randrange(len(blocks))
        blocks[a], blocks[b] = blocks[b], blocks[a]
        broken = bytearray(b"".join(blocks))
    else:
        start = rng.randrange(len(broken))
        end = min(len(broken), start + rng.choice([16, 500, 5000]))
        broken[start:end] = bytes(end - start) if kind == "zeros" else b""
    return kind, bytes(broken)


def main(seed: int, first: int, count: int, files: list[Path]) -> None:
    sources = [file.read_bytes() for file in files]
    good = bad = 0
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            rng = random.Random(f"{seed} {number}")
            which = rng.randrange(len(files))
            kind, data = mutated(sources[which], rng)
            path = Path(folder) / f"broken{files[which].suffix}"
            path.write_bytes(data)
            print(f"mutation {number} of seed {seed}: {kind} of {files[which]}", flush=True)
            started = time.monotonic()
            try:
                with open_video(path, timeout_seconds=5.0) as video:
                    indices = sorted(rng.randrange(len(video)) for _ in range(4))
                    frames = video.frames_at(indices, short_side=32)
                    assert len(frames) == 4
                    assert min(frames.pixels.shape[-2:]) == 32
                good += 1
            except DecodeError as error:
                bad += 1
                if str(path) not in str(error):
                    raise
            longest = max(longest, time.monotonic() - started)
    print(f"{good} gave frames, {bad} a DecodeError, the slowest took {longest:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), [Path(name) for name in sys.argv[4:]])
