"""How a clip is taken: a record that checks itself, and comes back from plain values."""

import json

import pytest

from vidtok.errors import ModelError
from vidtok.models.feeding import Feeding

WHOLE = Feeding(
    stride=2,
    target_fps=12.5,
    sampling="vidtok",
    short="repeat",
    short_side=256,
    fit="pad",
    scores="sigmoid",
    video_seconds=2.5,
)


def test_it_travels_as_json():
    assert Feeding.of(json.loads(json.dumps(WHOLE.describe()))) == WHOLE
    assert Feeding(stride=1, short_side=1).describe() == {
        "stride": 1,
        "target_fps": None,
        "sampling": "vidtok",
        "short": None,
        "short_side": 1,
        "fit": "crop",
        "scores": "softmax",
        "video_seconds": None,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stride": 0}, "stride and short_side count from 1, got 0 and 256"),
        ({"short_side": 0}, "got 2 and 0"),
        ({"short_side": None, "fit": "crop"}, "fit=crop needs short_side"),
        ({"video_seconds": 0.0}, r"video_seconds is a length above 0, got 0\.0"),
        ({"target_fps": 0.0}, r"target_fps is a rate above 0, got 0\.0"),
        ({"sampling": "random"}, "sampling is one of vidtok, scenic, .* got 'random'"),
        ({"short": "stop"}, "short is one of repeat, loop, .*got 'stop'"),
        ({"fit": "bend"}, "fit is one of crop, pad, squeeze"),
        ({"scores": None}, "scores is one of softmax, sigmoid, got None"),
        ({"scores": "none"}, "scores is one of softmax, sigmoid"),
    ],
)
def test_it_checks_itself(change, message):
    with pytest.raises(ModelError, match=message):
        Feeding.of({**WHOLE.describe(), **change})


def test_keys_that_are_not_known_are_refused():
    with pytest.raises(TypeError):
        Feeding.of({**WHOLE.describe(), "crops": 3})
