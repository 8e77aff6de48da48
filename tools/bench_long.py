"""What a sample of a long video costs: a random record of ten seconds, against a bare seek and decode of it.

    python tools/bench_long.py --work work/long                     an hour of 256 x 320 at 30 frames a second
    python tools/bench_long.py --work work/long --minutes 1440 --container mkv --json long.json

The video is made where it is missing: a minute of moving picture, encoded once, its packets repeated. Rows take turns,
over the same random records; each opens the file anew and takes 16 frames of the record:

    bare        PyAV alone: open, seek to the record, decode to its last frame, convert the 16 (frames unchecked)
    vidtok      open_video and frames_at, with the table that the first opening kept
    first       the same without a table: what the first sample costs, and every one did before
    short       vidtok on a file that holds the record alone

All that vidtok reads is compared, frame by frame, with the pictures of the bare loop.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

import av
import numpy as np
import torch
from torch import Tensor

from vidtok.video.reader import open_video

RATE, SECONDS, TAKEN = 30, 10, 16
GROUP = 60
BAR = 1.5


def make_video(path: Path, *, minutes: int) -> None:
    """A minute of moving gradients over noise, H.264 with B-frames and a keyframe every two seconds, repeated."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 64, (256, 320, 3), dtype=np.uint8)
    ramp = np.arange(320, dtype=np.uint16)[None, :, None] + np.arange(256, dtype=np.uint16)[:, None, None]
    aside = path.with_name(f"aside_{path.name}")
    encoded: list[av.Packet] = []
    with av.open(str(aside), "w") as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "veryfast", "g": str(GROUP), "sc_threshold": "0"}
        )
        stream.height, stream.width, stream.pix_fmt = 256, 320, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(60 * RATE):
            picture = noise + ((ramp + number * np.array([3, 5, 7], np.uint16)) % 192).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            encoded += stream.encode(frame)
        encoded += stream.encode(None)
        times = [(packet.pts, packet.dts) for packet in encoded]
        for minute in range(minutes):
            for packet, (pts, dts) in zip(encoded, times, strict=True):
                shift = minute * 60 * RATE
                packet.pts, packet.dts, packet.time_base = pts + shift, dts + shift, Fraction(1, RATE)
                packet.stream = stream
                container.mux(packet)
    os.replace(aside, path)


def cut(source: Path, target: Path, *, first: int) -> None:
    """The record's packets, from a keyframe on, in a file of their own."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        of = old.streams.video[0]
        stream = new.add_stream_from_template(of)
        old.seek(round(first / RATE / of.time_base), stream=of)
        begin = None
        for count, packet in enumerate(old.demux(of)):
            begin = packet.dts if begin is None else begin
            if packet.size == 0 or count > SECONDS * RATE + GROUP:
                break
            packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, stream
            new.mux(packet)


def bare(path: Path, wanted: Sequence[int]) -> Tensor:
    """The frames at these indices by a seek; times are those of a constant rate, which this file has."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        start = float((stream.start_time or 0) * stream.time_base)
        container.seek(round((start + wanted[0] / RATE) / stream.time_base), stream=stream)
        pictures, left = [], list(wanted)
        for frame in container.decode(stream):
            if round((frame.time - start) * RATE) == left[0]:
                pictures.append(torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1))
                left.pop(0)
                if not left:
                    break
    return torch.stack(pictures)


def read(path: Path, wanted: Sequence[int]) -> Tensor:
    with open_video(path) as video:
        return video.frames_at(wanted).pixels


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--work", required=True, type=Path, help="folder for the video and its table")
    cli.add_argument("--minutes", type=int, default=60, help="length of the video (default: %(default)s)")
    cli.add_argument("--container", choices=("mp4", "mkv"), default="mp4", help="default: %(default)s")
    cli.add_argument("--records", type=int, default=20, help="random records (default: %(default)s)")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    args = cli.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    path = args.work / f"minutes_{args.minutes}.{args.container}"
    if not path.is_file():
        make_video(path, minutes=args.minutes)
        time.sleep(3)  # a file that changed just now is not kept
    cache = str(args.work / "cache")
    os.environ["VIDTOK_CACHE"] = cache
    read(path, [0])
    short = args.work / f"short.{args.container}"
    rng = np.random.default_rng(1)
    taken: dict[str, list[float]] = {"bare": [], "vidtok": [], "first": [], "short": []}
    for number in range(args.records):
        first = int(rng.integers(args.minutes * 60 * RATE - SECONDS * RATE - GROUP))
        wanted = [first + round(part) for part in np.linspace(0, SECONDS * RATE - 1, TAKEN)]
        cut(path, short, first=first)
        rows = [("bare", path, wanted), ("vidtok", path, wanted), ("short", short, [each - first for each in wanted])]
        rows += [("first", path, wanted)] if number < 5 else []
        pictures = {}
        for name, file, indices in rows[number % 2 :] + rows[: number % 2]:
            os.environ["VIDTOK_CACHE"] = cache if name == "vidtok" else "off"
            began = time.perf_counter()
            pictures[name] = (bare if name == "bare" else read)(file, indices)
            taken[name].append(time.perf_counter() - began)
        if not torch.equal(pictures["bare"], pictures["vidtok"]):
            raise SystemExit(f"other frames than the bare loop's from frame {first} on")
    middle = {name: statistics.median(each) for name, each in taken.items()}
    print("| row | milliseconds (median) | times bare | bar |\n|---|---|---|---|")
    for name, seconds in middle.items():
        bar = f"<= {BAR}" if name == "vidtok" else ""
        print(f"| {name} | {1000 * seconds:.1f} | {seconds / middle['bare']:.2f} | {bar} |")
    if args.json:
        rows = {name: {"seconds": value, "times_bare": value / middle["bare"]} for name, value in middle.items()}
        figures = {"minutes": args.minutes, "container": args.container, "records": args.records, "rows": rows}
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
