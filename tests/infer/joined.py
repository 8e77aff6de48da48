"""A long video joined from clips whose classes are known, and how well a timeline says them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.video.reader import open_video
from vidtok.video.write import write_video


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What a part of the video shows."""

    start: float
    end: float
    name: str


def join_clips(clips: Sequence[tuple[Path, str]], path: Path, *, fps: float = 25.0) -> list[Stretch]:
    """Write the clips one behind the other; what is where, neighbours of one class as one."""
    truth: list[Stretch] = []
    counts: list[int] = []

    def pictures() -> Iterator:
        for clip, _ in clips:
            with open_video(clip) as reader:
                counts.append(len(reader))
                for _, picture in reader.each_at(range(len(reader))):
                    yield picture

    write_video(path, pictures(), fps=fps, crf=12, preset="ultrafast")
    at = 0
    for (_, name), count in zip(clips, counts, strict=True):
        start = truth.pop().start if truth and truth[-1].name == name else at / fps
        at += count
        truth.append(Stretch(start=start, end=at / fps, name=name))
    return truth


def segment_f1(found: Sequence[Stretch], truth: Sequence[Stretch], *, overlap: float = 0.5) -> float:
    """F1@50 of Lea et al. (arXiv 1611.05267): a segment is right with a union of at least `overlap` over one of its
    class that no other segment has."""
    left, hits = list(truth), 0
    for one in found:
        for other in left:
            shared = min(one.end, other.end) - max(one.start, other.start)
            if one.name == other.name and shared >= overlap * (max(one.end, other.end) - min(one.start, other.start)):
                left.remove(other)
                hits += 1
                break
    return 2 * hits / (len(found) + len(truth))


def boundary_errors(found: Sequence[Stretch], truth: Sequence[Stretch]) -> list[float]:
    """Seconds from each true boundary inside of the video to the nearest one that was found."""
    edges = [each.start for each in found[1:]]
    return [min((abs(edge - each.start) for edge in edges), default=float("inf")) for each in truth[1:]]
