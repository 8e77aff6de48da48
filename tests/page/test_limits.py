"""Bounds that make sense, and how they are told."""

import pytest

from vidtok.errors import ConfigError
from vidtok.page.limits import Limits, too_busy, too_large


@pytest.mark.parametrize(
    "name", ["upload_megabytes", "video_seconds", "work_seconds", "fit_minutes", "session_minutes"]
)
def test_bounds_are_above_nothing(name):
    with pytest.raises(ConfigError, match=f"`{name}` is above 0, got 0"):
        Limits(**{name: 0.0})
    with pytest.raises(ConfigError, match="got -1"):
        Limits(**{name: -1.0})
    Limits(**{name: 0.5})


def test_somebody_may_wait():
    with pytest.raises(ConfigError, match="`waiting` counts from 1, got 0"):
        Limits(waiting=0)
    assert Limits(waiting=1).waiting == 1


def test_what_is_said_of_them():
    limits = Limits(upload_megabytes=1.5)
    assert limits.upload_bytes == 1_500_000
    assert Limits(upload_megabytes=9000.0).store_bytes == 9_000_000_000, "the largest file has room"
    assert (too_large(limits).status, str(too_large(limits))) == (413, too_large(limits).words)
    assert "larger than 1.5 MB" in too_large(limits).words
    busy = too_busy("3 wait", seconds=7)
    assert (busy.status, busy.words, busy.headers) == (429, "3 wait; try again in a moment", {"retry-after": "7"})
