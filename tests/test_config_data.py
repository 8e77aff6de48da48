"""Rules between keys of data."""

from typing import get_args

import pytest

from tests.defaults import defaults
from vidtok.config_data import AugmentConfig, DataConfig, RandAugmentConfig
from vidtok.video.protocols import Sampling


def data(**settings):
    return DataConfig(
        **{"train": "a", "val": "b", "frames": 8, "stride": 1, "size": 224, "short_side": 256, "flip": True, **settings}
    )


def test_scale_jitter_replaces_the_resized_crop():
    assert data(scale_jitter=(256.0, 320.0)).scale is None
    assert data(scale_jitter=(224.0, 224.0), scale_jitter_independent=True).ratio is None
    for name, interval in (("scale", (0.25, 1.0)), ("ratio", (0.75, 1.3333))):
        with pytest.raises(ValueError, match=f"{name} belongs to the resized crop, which scale_jitter replaces"):
            data(scale_jitter=(256.0, 320.0), **{name: interval})
    with pytest.raises(ValueError, match=r"at least size 224, the crop cut from it, got \[200.0, 320.0\]"):
        data(scale_jitter=(200.0, 320.0))
    with pytest.raises(ValueError, match="range from low to high"):
        data(scale_jitter=(320.0, 256.0))
    with pytest.raises(ValueError, match="scale_jitter_independent needs scale_jitter"):
        data(scale_jitter_independent=True)


def test_one_policy_for_a_clip():
    with pytest.raises(ValueError, match="auto_augment and rand_augment are two policies"):
        AugmentConfig(auto_augment=True, rand_augment=RandAugmentConfig(magnitude=9.0))
    with pytest.raises(ValueError, match="erase_prob"):
        AugmentConfig(erase_prob=1.5)


def test_sampling_rules_bring_their_own_rule_for_short_videos():
    assert data(short="repeat").short == "repeat"
    assert data(sampling="scenic").short is None
    with pytest.raises(
        ValueError, match="short belongs to sampling vidtok and torchcodec; scenic has a rule of its own"
    ):
        data(sampling="scenic", short="loop")
    assert data(sampling="segments").sampling == "segments"
    with pytest.raises(ValueError, match="without a stride: 1, not 2"):
        data(sampling="segments", stride=2)
    with pytest.raises(ValueError, match="leave target_fps out"):
        data(sampling="segments", target_fps=25.0)


def test_the_config_names_every_sampling_rule():
    assert get_args(DataConfig.model_fields["sampling"].annotation) == get_args(Sampling)


def test_how_a_picture_becomes_the_networks():
    assert data(size=(224, 320)).shorter == 224
    assert data(size=[224, 320]).size == (224, 320)
    for size in ("a", 0, (3, 0), (96,), (1, 2, 3), True, 2.5, None):
        with pytest.raises(ValueError, match=r"size\n.*a number of pixels from 1 on, or \[rows, columns\], got"):
            data(size=size)
    whole = {"fit": "squeeze", "short_side": None}
    assert data(**whole).fit == "squeeze"
    for keys, words in (
        ({"short_side": None}, "short_side is missing: with fit crop"),
        ({"size": (300, 400)}, "short_side 256 must be at least size 300"),
        ({"fit": "pad"}, "short_side 256 belongs to fit crop; with fit pad all of a picture is seen"),
        ({**whole, "scale_jitter": (256, 320)}, "scale_jitter belongs to fit crop; with fit squeeze"),
        ({**whole, "fit": "pad", "crop_in": "yuv"}, "for fit pad, which adds bars to it, take rgb"),
        ({"size": (224, 256), "sizes": (224, 256)}, r"sizes are for square crops; size is \[224, 256\]"),
        ({"short": "wrap"}, "short wrap is not known to sampling vidtok: repeat or loop"),
        ({"sampling": "torchcodec", "short": "loop"}, "short loop is not known to sampling torchcodec"),
    ):
        with pytest.raises(ValueError, match=words):
            data(**keys)
    assert data(sampling="torchcodec", short="wrap").short == "wrap"


def test_ways_of_loading_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="crop_in yuv needs the backend pyav, whose decoder can crop, not decord"):
        data(crop_in="yuv", backend="decord")
    for sizes in ((), (224, 224), (0, 224)):
        with pytest.raises(ValueError, match="sizes are different numbers of pixels"):
            data(sizes=sizes)


def test_what_is_taken_where_nothing_is_said():
    """A default that moves changes everyone's runs: it is meant, or it is a slip."""
    assert defaults(RandAugmentConfig) == {"layers": 2, "magnitude_std": 0.0, "prob": 1.0, "geometric": True}
    assert defaults(AugmentConfig) == {
        "color_jitter_prob": 0.0,
        "grey_prob": 0.0,
        "auto_augment": False,
        "rand_augment": None,
        "erase_prob": 0.0,
    }
    given = defaults(DataConfig)
    assert given.pop("augment") == AugmentConfig()
    assert {key: value for key, value in given.items() if value is not None} == {
        "format": "auto",
        "backend": "pyav",
        "sampling": "vidtok",
        "fit": "crop",
        "crop_in": "rgb",
        "repeats": 1,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "scale_jitter_independent": False,
        "balanced": False,
        "timeout_seconds": 120.0,
        "max_bad_fraction": 0.01,
    }


@pytest.mark.parametrize("one", [{"auto_augment": True}, {"rand_augment": RandAugmentConfig(magnitude=9.0)}, {}])
def test_one_policy_alone_or_none_is_taken(one):
    assert AugmentConfig(**one).auto_augment is bool(one.get("auto_augment"))
