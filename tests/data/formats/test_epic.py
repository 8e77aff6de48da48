"""EPIC-KITCHENS: verbs, nouns, and both."""

import pytest

from tests.data.formats.reading import assert_reads, assert_refused


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("EPIC-KITCHENS, verbs", "1 parts end before they begin and are left out, such as LIST:4"),
        ("EPIC-KITCHENS, actions in frames", "1 parts end before they begin and are left out, such as LIST:4"),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("EPIC-KITCHENS, verbs", "00:00:00.14", "0.14", r"train.csv:2: start_timestamp is written 00:01:02.345, not"),
        ("EPIC-KITCHENS, verbs", "open,1", "open,x", r"train.csv:2: verb_class is a number from 0 on, not 'x'"),
        ("EPIC-KITCHENS, verbs", ",P01_01,", ",../P01,", r"csv:2: video_id: '../P01' is no id of a video"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("EPIC-KITCHENS, verbs", "label", r"say `label`=verb, noun or action, not None"),
        ("EPIC-KITCHENS, actions in frames", "fps", r"csv:2: P01/rgb_frames/P01_01 is a folder of frames: .* `fps`"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})
