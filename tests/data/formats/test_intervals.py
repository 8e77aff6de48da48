"""Lists of times: AVA, intervals, HACS' clips, THUMOS."""

import pytest

from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.lists import open_list
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("HACS clips", "1 clips that do not show their class are left out"),
        ("THUMOS", "1 ambiguous parts are left out"),
        ("AVA", ""),
        ("intervals", ""),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("HACS clips", "15.2", "x", r"csv:2: 'x' is no number of seconds"),
        ("HACS clips", "22.5,-1", "22.5,0", r"csv:3: label is 1 or -1, not '0'"),
        ("THUMOS", "76.4", "7x", r"Diving_val.txt:1: a line is `video_validation_0000266  72.8 76.4`"),
        ("AVA", ",80,1", ",81,1", r"csv:1: an action is a number from 1 to 80, not '81'"),
        ("intervals", "901.5,904", "904,901.5", r"csv:2: the part ends at 901.5 s, and begins at 904 s"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


def test_numbers_without_a_header_are_seconds_only_where_they_have_fractions(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a.mp4,0,250,jump\nb.mp4,10,20,run\n")
    with pytest.raises(DataError, match=r"list.csv: `a.mp4,0,250,jump`: are the two numbers seconds .*or frames\?"):
        open_list(path)
    records, classes = open_list(path, format="intervals")
    assert (records[1].start_seconds, records[1].end_seconds, classes) == (10.0, 20.0, ("jump", "run"))
    path.write_text("a.mp4,0,250.5,jump\n")
    assert open_list(path)[0].form == "intervals"
