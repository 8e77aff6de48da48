"""What forms with parts of videos share: records, times of frames, and names that stay below the root."""

import pytest

from tests.video.clips import make_clip
from vidtok.data.formats.segments import FrameTimes, Segments, check_id, name_below, seconds_pair
from vidtok.errors import DataError


def test_parts_become_records(tmp_path):
    segments = Segments(tmp_path / "list", root=tmp_path, classes=None, form="intervals")
    segments.add("a.mp4", ["run", "jump"], place="1", start=1.0, end=2.5, video_id="a")
    segments.add("b.mp4", ["jump"], place="2")
    assert len(segments) == 2
    records, classes = segments.result()
    assert (classes, records.form) == (("jump", "run"), "intervals")
    found = [(one.path, one.labels, one.video_id, one.start_seconds, one.end_seconds) for one in records]
    assert found == [(tmp_path / "a.mp4", (1, 0), "a", 1.0, 2.5), (tmp_path / "b.mp4", (0,), "b.mp4", None, None)]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (-0.5, 1.0, "here: times are seconds from 0 on, not -0.5"),
        (float("nan"), 1.0, "here: times are seconds from 0 on, not nan"),
        (0.0, float("inf"), "here: times are seconds from 0 on, not inf"),
        (2.0, 2.0, "here: the part ends at 2 s, and begins at 2 s"),
        (None, 0.0, "here: the part ends at 0 s, and begins at 0 s"),
    ],
)
def test_times_that_cannot_be(tmp_path, start, end, words):
    segments = Segments(tmp_path / "list", root=tmp_path, classes=None, form="intervals")
    with pytest.raises(DataError, match=words):
        segments.add("a.mp4", ["run"], place="here", start=start, end=end)


def test_published_lists_may_have_parts_that_end_before_they_begin(tmp_path):
    segments = Segments(tmp_path / "list", root=tmp_path, classes=["run"], form="thumos", published=True)
    segments.add("a.mp4", ["run"], place="here", start=3.0, end=2.0)
    with pytest.raises(DataError, match=r"list: no labelled part of a video in it; 1 parts end before .*such as here"):
        segments.result()


def test_pairs_of_seconds():
    assert seconds_pair([1, 2.5], "here", "z") == (1.0, 2.5)
    for bad in ([1], [1, "2"], [True, 2], (1, 2), None, [1, float("nan")]):
        with pytest.raises(DataError, match=r"here: z is \[start, end\] in seconds"):
            seconds_pair(bad, "here", "z")


def test_frames_are_shown_at_the_times_of_the_video_or_at_a_rate(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=12)
    times = FrameTimes(tmp_path, fps=None)
    assert [times.seconds("a.mp4", frame, "here") for frame in (0, 3, 12, 99)] == [0.0, pytest.approx(0.1), None, None]
    assert FrameTimes(tmp_path, fps=8.0).seconds("none.mp4", 99, "here") == 99 / 8
    with pytest.raises(DataError, match="here: frames count from 0, not -1"):
        times.seconds("a.mp4", -1, "here")
    with pytest.raises(DataError, match=r"here: frames are counted here, and only the video tells .*none.mp4: No such"):
        times.seconds("none.mp4", 1, "here")


def test_names_stay_below_the_root(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    assert name_below(tmp_path, ["in/a.mp4", "b.mp4"]) == "in/a.mp4"
    assert name_below(tmp_path, ["../in/a.mp4"]) == "a.mp4"
    assert name_below(tmp_path, ["/etc/passwd"]) == "passwd"
    assert name_below(tmp_path, ["C:\\me\\a.mp4", "in/a.mp4"]) == "in/a.mp4"
    assert name_below(tmp_path, ["", "x/b.mp4", "y/c.mp4"]) == "x/b.mp4", "the first where none is there"
    assert check_id("-a b.c", "here") == "-a b.c"
    for bad in ("", ".", "..", "a/b", "a\\b", "a\0", None, 7):
        with pytest.raises(DataError, match=r"^here: .* is no id of a video"):
            check_id(bad, "here")


def test_numbers_are_labels_as_they_are_and_the_first_part_backwards_is_named(tmp_path):
    segments = Segments(tmp_path / "list", root=tmp_path, classes=None, form="thumos", published=True)
    segments.add("a.mp4", [3], place="one", start=0.0, end=0.5, fps=25.0)
    for place in ("two", "three"):
        segments.add("a.mp4", [3], place=place, start=3.0, end=2.0)
    records, classes = segments.result(names=["w", "x", "y", "z"])
    assert (records[0].labels, records[0].fps, classes) == ((3,), 25.0, ("w", "x", "y", "z"))
    assert records.notes == ("2 parts end before they begin and are left out, such as two",)
    for label in ("", " "):
        with pytest.raises(DataError, match="four: a label is the name of a class"):
            segments.add("a.mp4", [label], place="four")
