"""What actors of a Ray Data job do with videos, without Ray: what the functions for one process give, as rows."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.infer.test_predict import model
from tests.video.clips import make_clip
from vidtok.infer.features import VideoFeatures, extract_features
from vidtok.infer.predict import Prediction, predict_videos
from vidtok.runs import ray_work
from vidtok.runs.ray_work import Encoding, Labelling, ray_features, ray_predictions
from vidtok.types import Failure


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    for k in range(3):
        make_clip(tmp_path / f"{k}.mp4", frames=12 + k)
    (tmp_path / "1.mp4").write_text("no video")
    return [tmp_path / f"{k}.mp4" for k in range(3)]


@pytest.fixture
def asked(monkeypatch) -> dict:
    """The job in this process: its work travels by pickle, and its rows come in another order."""
    seen = {}

    def rows(work, paths, **options):
        seen.update(options)
        travelled = pickle.loads(pickle.dumps(work))
        travelled.start(torch.device("cpu"))
        assert travelled.held_bytes > 100_000
        yield from reversed(list(enumerate(travelled(paths))))

    monkeypatch.setattr(ray_work, "ray_rows", rows)
    return seen


def test_labels_are_those_of_predict_videos(videos, asked):
    net = model()
    options = {"clips": 2, "crops": 3}
    found = list(ray_predictions(net, videos, workers=0, actors=2, device="cpu", ray_address="there", **options))
    assert asked == {"cores": 1, "device": "cpu", "actors": 2, "ray_address": "there"}
    assert [each.path for each in found] == videos[::-1]
    for each, wanted in zip(reversed(found), predict_videos(net.for_inference(), videos, **options), strict=True):
        if isinstance(wanted, Failure):
            assert each == wanted
        else:
            assert isinstance(each, Prediction)
            assert torch.equal(each.scores, wanted.scores)
            assert each.classes == wanted.classes
    list(ray_predictions(net, [], workers=3))
    assert asked["cores"] == 4  # one computes, three decode


def test_features_are_those_of_extract_features(videos, asked):
    net = model()
    options = {"kind": "tokens", "depth": 1, "clips": 2}
    found = list(ray_features(net, videos, **options))
    assert asked == {"device": "auto", "actors": None, "ray_address": None}
    for each, wanted in zip(reversed(found), extract_features(net.for_inference(), videos, **options), strict=True):
        if isinstance(wanted, Failure):
            assert each == wanted
        else:
            assert isinstance(each, VideoFeatures)
            assert each.path == wanted.path
            assert torch.equal(each.features, wanted.features)
            assert torch.equal(each.seconds, wanted.seconds)


def test_the_bytes_that_travel_are_the_weights():
    net = model()
    held = sum(each.nbytes for each in net.state_dict().values())
    both: list[Labelling | Encoding] = [
        Labelling(model=net, clips=1, crops=1, workers=0, backend="pyav"),
        Encoding(model=net, clips=1, backend="pyav", kind="pooled", depth=None),
    ]
    assert [work.held_bytes for work in both] == [held, held]
    assert all(isinstance(each, Tensor) for each in net.state_dict().values())
