"""Where a model looks in a record's own part of its video."""

import pytest
import torch

from vidtok.data.views import TestViews
from vidtok.errors import DecodeError
from vidtok.models.create import create_model
from vidtok.runs.looks import looks_of
from vidtok.types import Record
from vidtok.video.protocols import ClipRule
from vidtok.video.write import write_video


@pytest.fixture
def model():
    return create_model(
        "vivit", classes=["jump", "run"], width=24, depth=1, heads=2, tubelet=(2, 16, 16), frames=4, size=32
    )


def looks(model, sampling, stride):
    rule = ClipRule(frames=4, stride=stride, sampling=sampling)
    views = TestViews(clip=rule, size=32, short_side=32, clips=1, crops=1)
    return looks_of(model, views, kind="softmax", backend="pyav", timeout_seconds=60.0)


def test_the_pictures_are_those_of_the_part(model, tmp_path, monkeypatch):
    """Grey from dark to bright over twenty frames; of the second half every second one is seen."""
    pictures = torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(20, 3, 32, 32) * 10
    write_video(tmp_path / "a.mp4", pictures, fps=10, crf=4)
    seen = []

    def shown(model, clip, *, heading, kind):
        seen.append((clip.float().mean((1, 2, 3)) / 10, heading, kind))
        return type("Shown", (), {"pictures": clip, "notes": ("where",)})()

    monkeypatch.setattr("vidtok.runs.looks.attention_clip", shown)
    record = Record(path=tmp_path / "a.mp4", labels=(), video_id="a", start_seconds=1.0)
    found, rate, notes = looks(model, "vidtok", 2)(record)
    assert (found.shape, rate, notes) == ((4, 3, 32, 32), 5.0, ("where",))
    assert seen[0][0].round().tolist() == [11, 13, 15, 17]
    assert seen[0][1:] == ("a.mp4", "softmax")
    _, rate, _ = looks(model, "segments", 1)(Record(path=tmp_path / "a.mp4", labels=(), video_id="a"))
    assert rate == 2.0  # four pictures for two seconds


def test_what_cannot_be_read_says_so(model, tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(DecodeError):
        looks(model, "vidtok", 1)(Record(path=tmp_path / "a.mp4", labels=(), video_id="a"))
