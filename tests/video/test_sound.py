"""The sound of a part of a video, heard again beside new pictures."""

import av
import numpy as np
import torch

from tests.video.sounding import RATE, heard, write_with_sound
from vidtok.video.sound import Sound
from vidtok.video.write import write_video

PICTURES = torch.zeros(8, 3, 16, 16, dtype=torch.uint8)


def test_the_part_is_heard_at_its_time(tmp_path):
    write_with_sound(tmp_path / "a.mp4", tones=((1.0, 1.4, 500.0),))
    sound = Sound(tmp_path / "a.mp4", start_seconds=0.7, end_seconds=1.5)
    write_video(tmp_path / "b.mp4", PICTURES, fps=10, sound=sound)
    samples, rate, first = heard(tmp_path / "b.mp4")
    assert rate == RATE
    loud = np.abs(samples) > 0.1
    begin = first + loud.argmax() / rate
    end = first + (len(loud) - loud[::-1].argmax()) / rate
    assert abs(begin - 0.3) < 0.08
    assert abs(end - 0.7) < 0.08
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert len(list(container.decode(video=0))) == 8


def test_without_sound_there_is_no_stream(tmp_path):
    write_video(tmp_path / "a.mp4", PICTURES, fps=10)
    for source in (tmp_path / "a.mp4", tmp_path):
        write_video(tmp_path / "b.mp4", PICTURES, fps=10, sound=Sound(source, start_seconds=0, end_seconds=0.8))
        with av.open(str(tmp_path / "b.mp4")) as container:
            assert [stream.type for stream in container.streams] == ["video"]
