"""What a file of weights says of the model that they were made in."""

import pytest

from vidtok.errors import CheckpointError
from vidtok.models.weights.origin import Origin, clip_of, colour_words, of_description, same_normalisation

WHOLE = {
    "model": {"network": "vivit", "options": {"depth": 2}, "frames": 8, "size": [32, 48]},
    "normalisation": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]},
    "class_names": ["a", 7],
    "clip": {"stride": 2, "short_side": 40},
}


def test_a_clip_is_known_where_frames_and_size_are():
    assert Origin(source="it", frames=8, size=32).clip == (8, 32, 32) == clip_of(8, 32)
    assert Origin(source="it", frames=8, size=(32, 48)).clip == (8, 32, 48) == clip_of(8, (32, 48))
    assert Origin(source="it", frames=8).clip is None
    assert Origin(source="it", size=32).clip is None


def test_our_own_description_is_read_whole():
    origin = of_description(WHOLE, source="config.json")
    assert (origin.source, origin.own, origin.network, origin.options) == ("config.json", True, "vivit", {"depth": 2})
    assert (origin.clip, origin.classes) == ((8, 32, 48), ("a", "7"))
    assert origin.normalisation == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert origin.feeding is not None
    assert (origin.feeding.stride, origin.feeding.short_side) == (2, 40)
    square = of_description({**WHOLE, "model": {**WHOLE["model"], "size": 32}}, source="it")
    assert square.size == 32
    assert of_description({key: WHOLE[key] for key in WHOLE if key != "clip"}, source="it").feeding is None


@pytest.mark.parametrize(
    "change",
    [
        {"model": {}},
        {"model": 3},
        {"model": {**WHOLE["model"], "frames": "eight"}},
        {"model": {**WHOLE["model"], "size": [32]}},
        {"normalisation": {"mean": [0.1], "std": [0.4, 0.5, 0.6]}},
        {"class_names": None},
        {"clip": {"stride": 0, "short_side": 40}},
    ],
    ids=lambda change: f"{change}"[:40],
)
def test_a_description_that_is_not_whole_is_named(change):
    with pytest.raises(CheckpointError, match=r"^config\.json: not a whole description of a model: "):
        of_description({**WHOLE, **change}, source="config.json")


def test_numbers_of_other_scales_are_the_same_up_to_rounding():
    assert same_normalisation([[0.485], [0.229]], [[123.68 / 255], [58.4 / 255]])
    assert not same_normalisation([[0.485], [0.229]], [[0.5], [0.229]])
    assert not same_normalisation([[0.485], [0.229]], [[0.485], [0.25]])
    assert colour_words([0.5, 123.675 / 255], [1.0, 0.25]) == "mean [0.5, 0.485] and std [1, 0.25]"
