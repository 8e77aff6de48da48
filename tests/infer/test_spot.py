"""Where a point of a video stands in the clip that a network sees, and points that it does not see."""

import pytest
import torch

from vidtok.data.dataset import clock_seconds
from vidtok.errors import ModelError
from vidtok.infer.predict import model_views
from vidtok.infer.spot import Spot, point_of
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.video.reader import open_video
from vidtok.video.write import write_video


@pytest.fixture(scope="module")
def find(tmp_path_factory):
    """Finds a point of thirteen pictures of 24 x 40, ten a second, in a clip of the frames at 0.3, 0.5, 0.7 and 0.9 s.

    24 x 40 become 20 x 33, of which the middle 16 x 16 are seen: from 8 of 33 columns, from 2 of 20 rows.
    """
    path = tmp_path_factory.mktemp("spot") / "a.mp4"
    write_video(path, torch.zeros(13, 3, 24, 40, dtype=torch.uint8), fps=10)
    model = create_model(
        "vivit", classes=2, frames=4, size=16, width=12, depth=1, heads=2, feeding=Feeding(stride=2, short_side=20)
    )
    with open_video(path) as reader:
        views = model_views(model)
        pixels = reader.frames_at([3, 5, 7, 9], short_side=views.side(reader)).pixels
        seconds = clock_seconds(reader)[[3, 5, 7, 9]].numpy()
        yield lambda **spot: point_of(Spot(**spot), reader, views, pixels, seconds)


def test_a_point_of_the_video_is_a_place_of_the_clip(find):
    point = find(x=15, y=18, seconds=0.75)
    assert point.y == pytest.approx((18.5 * 20 / 24 - 2) / 16)
    assert point.x == pytest.approx((15.5 * 33 / 40 - 8) / 16)


@pytest.mark.parametrize(("seconds", "frame"), [(0, 0), (0.3, 0), (0.5, 1), (0.75, 2), (0.9, 3), (1.3, 3)])
def test_the_frame_is_the_last_that_was_shown_by_then(find, seconds, frame):
    assert find(x=15, y=18, seconds=seconds).time == pytest.approx((frame + 0.5) / 4)


@pytest.mark.parametrize(
    ("x", "y", "seconds", "words"),
    [
        (0, 0, 0.5, r"0,0 is outside of what the network sees: x from 10 to 29, y from 2 to 22"),
        (1, 12, 0.5, r"1,12 is outside of what the network sees: x from 10 to 29, y from 2 to 22"),
        (20, 1, 0.5, r"20,1 is outside of what the network sees"),
        (20, 24, 0.5, r"20,24 is outside of the pictures, 40 x 24"),
        (40, 12, 0.5, r"40,12 is outside of the pictures, 40 x 24"),
        (-1, 12, 0.5, r"-1,12 is outside of the pictures, 40 x 24"),
        (20, 12, -1, r"-1 s is outside of the video"),
        (20, 12, 9, r"9 s is outside of the video, which ends at 1\.3 s"),
    ],
)
def test_a_point_that_is_not_seen(find, x, y, seconds, words):
    with pytest.raises(ModelError, match=words):
        find(x=x, y=y, seconds=seconds)
