"""Which names are videos."""

import re

import pytest

from vidtok.video.endings import MEDIA_ENDING, MEDIA_SUFFIXES, is_hidden, is_media_name, is_video_name


@pytest.mark.parametrize(
    ("name", "video", "media"),
    [
        ("a.mp4", True, True),
        ("A.MP4", True, True),
        ("folder/a.b.webm", True, True),
        ("a.gif", True, True),
        ("a.jpg", False, True),
        ("a.TIF", False, True),
        ("a.txt", False, False),
        ("mp4", False, False),
        (".mp4", False, False),
        ("a.mp4.part", False, False),
    ],
)
def test_the_ending_tells_in_any_case_of_the_letters(name, video, media):
    assert is_video_name(name) is video
    assert is_media_name(name) is media
    if not name.startswith("."):
        assert (re.search(MEDIA_ENDING + "$", name, re.IGNORECASE) is not None) is media


@pytest.mark.parametrize("name", ["._a.mp4", ".ipynb_checkpoints", "__MACOSX", "@eaDir", "lost+found"])
def test_what_systems_leave_is_none_of_the_user_s(name):
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["a.mp4", "found", "macosx", "a.hidden"])
def test_the_rest_is(name):
    assert not is_hidden(name)


def test_endings_are_small_letters_and_digits_behind_a_point():
    assert all(re.fullmatch(r"\.[a-z0-9]+", ending) for ending in MEDIA_SUFFIXES)
    assert len(set(MEDIA_SUFFIXES)) == len(MEDIA_SUFFIXES)
    for name in ("$RECYCLE.BIN", "System Volume Information", "__pycache__", "LOST+FOUND", "@eaDir"):
        assert is_hidden(name)
