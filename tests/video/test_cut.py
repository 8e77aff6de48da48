"""Cutting parts out of a video: the frames that reading the record gives, by one pass, whole files or none."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.video.clips import GROUPS, make_clip, make_late_clip, read_numbers, watch_decoder
from tests.video.test_conformance import CASES
from vidtok.data.dataset import clock_seconds, open_record, part
from vidtok.errors import DecodeError
from vidtok.types import Record
from vidtok.video.cut import Cut, cut_video
from vidtok.video.prepare import Prepared
from vidtok.video.reader import open_video
from vidtok.video.stream import every_frame

FAST = {"short_side": 64, "crf": 1, "preset": "ultrafast"}
UNEVEN = np.cumsum(np.random.default_rng(0).integers(1, 9, size=60)).tolist()


def cut_at(folder: Path, *parts: tuple[float | None, float | None]) -> list[Cut]:
    return [
        Cut(target=folder / f"{place}.mp4", start_seconds=start, end_seconds=end)
        for place, (start, end) in enumerate(parts)
    ]


@pytest.mark.parametrize("case", ["late", "uneven", "open groups"])
def test_the_frames_are_those_of_the_record(tmp_path: Path, case: str):
    source = tmp_path / "a.mkv"
    if case == "late":  # the clock begins with the sound
        make_late_clip(source, late=Fraction(12, 25), frames=60)
    elif case == "uneven":
        make_clip(source, ticks=UNEVEN, fps=Fraction(90), options=GROUPS["one keyframe"])
    else:
        make_clip(source, options=GROUPS["open groups"])
    parts = [(0.6, 1.25), (None, 0.8), (1.0, 1.5), (1.0, None)]
    facts = cut_video(source, cut_at(tmp_path / "out", *parts), **FAST)
    for place, (start, end) in enumerate(parts):
        record = Record(path=source, labels=(0,), video_id="a", start_seconds=start, end_seconds=end)
        with open_record(record, backend="pyav") as before, open_video(tmp_path / "out" / f"{place}.mp4") as after:
            first, stop = part(record, clock_seconds(before))
            old, new = before.frames_at(range(first, stop)), after.frames_at(range(len(after)))
        made = facts[place]
        assert isinstance(made, Prepared)
        assert (made.frames, len(new), after.start_seconds) == (stop - first, stop - first, 0.0)
        assert read_numbers(new.pixels.numpy()) == read_numbers(old.pixels.numpy()) == list(range(first, stop))
        shown = old.pts_seconds - old.pts_seconds[0]
        assert new.pts_seconds.tolist() == pytest.approx(shown.tolist(), abs=1e-6)
        assert (old.pixels.float() - new.pixels.float()).abs().mean() < 2


def test_one_pass_up_to_the_last_frame_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = make_clip(tmp_path / "a.mp4", options=GROUPS["keyframe every 12, B-frames"])
    decoded = watch_decoder(monkeypatch)
    cut_video(source, cut_at(tmp_path, (0.1, 0.5), (0.2, 0.7)), **FAST)
    assert 21 < len(decoded) < 35


def test_a_part_without_frames_stops_no_other(tmp_path: Path):
    source = make_clip(tmp_path / "a.mp4")
    none, some = cut_video(source, cut_at(tmp_path, (5.0, 6.0), (0.0, 0.1)), **FAST)
    assert none == "no frame is shown from 5 s to 6 s; its 60 frames are shown from 0 to 1.967 s"
    assert isinstance(some, Prepared)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.mp4", "a.mp4"]


def test_a_source_that_stops_leaves_what_came_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stops(video, *, stop):
        for index, frame in enumerate(every_frame(video, stop=stop)):
            if index == 20:
                raise DecodeError("stopped")
            yield frame

    monkeypatch.setattr("vidtok.video.cut.every_frame", stops)
    source = make_clip(tmp_path / "a.mp4", frames=30)
    with pytest.raises(DecodeError, match="stopped"):
        cut_video(source, cut_at(tmp_path / "out", (0.0, 0.5), (0.4, 0.9)), **FAST)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0.mp4"]


def test_damage_behind_a_part_does_not_count(tmp_path: Path):
    source = CASES["wrong frame count"](tmp_path)
    with open_video(source) as video:
        last = float(video.pts_seconds[-1])
    (facts,) = cut_video(source, cut_at(tmp_path / "out", (0.1, last)), **FAST)
    assert isinstance(facts, Prepared)
    with pytest.raises(DecodeError, match="decoding stops after"):
        cut_video(source, cut_at(tmp_path / "out", (0.1, None)), **FAST)
