"""Moments in Time and Diving48."""

import pytest

from tests.data.formats.reading import assert_reads, assert_refused


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("Moments in Time", ""),
        ("Diving48", ""),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("Moments in Time", "walking,11", "running,11", r"csv:2: a line is `class/file.mp4,class,3,1`"),
        ("Diving48", '"label": 1,', '"label": "1",', r"entry 0 \(from 0\): label, start_frame and end_frame are whole"),
        ("Diving48", '"vid_name": "8', '"vid_name": "/8', r"entry 0 \(from 0\): '/8hIfRbtP7Bg_00001' is no id"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("Diving48", "fps", r"entry 1 \(from 0\): begins at frame 30: say at which rate frames were counted, `fps`"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})
