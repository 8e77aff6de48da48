"""Features of videos: those of the network for the same clips, when their frames are shown, and what fails."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.defaults import function_defaults
from tests.infer.test_predict import model
from tests.video.clips import make_clip
from vidtok.errors import ModelError
from vidtok.infer.features import VideoFeatures, clip_features, extract_features, weights_digest
from vidtok.infer.predict import model_views, predict_videos
from vidtok.types import Failure
from vidtok.video.reader import open_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "b.mp4").write_text("no video")
    return [make_clip(folder / "a.mp4", frames=20), folder / "b.mp4", make_clip(folder / "c.mp4", frames=9)]


@pytest.mark.parametrize("depth", [None, 2])
def test_rows_are_the_network_s_for_each_clip_and_failures_keep_their_place(videos, depth):
    net = model().train()
    found = list(extract_features(net, videos, kind="tokens", depth=depth, clips=2, max_views=1))
    assert net.training
    net.eval()
    assert [isinstance(each, Failure) for each in found] == [False, True, False]
    views = model_views(net, clips=2)
    with open_video(videos[0]) as reader, torch.inference_mode():
        planned = views.views(reader.pts_seconds, np.random.default_rng(0))
        pixels = net.normalise(views.cut(reader, planned, np.random.default_rng(0)))
        wanted = net.network.features(pixels) if depth is None else net.network.features(pixels, depths=[depth])[0]
        seconds = [(view.indices / 30).tolist() for view in planned]
    first = found[0]
    assert isinstance(first, VideoFeatures)
    torch.testing.assert_close(first.features, wanted, rtol=1e-4, atol=1e-5)
    assert first.seconds.tolist() == [pytest.approx(each, abs=1e-3) for each in seconds]
    assert first.seconds[0, 0] != first.seconds[1, 0]
    pooled = next(extract_features(net, videos, depth=depth, clips=2))
    assert isinstance(pooled, VideoFeatures)
    torch.testing.assert_close(pooled.features, wanted.flatten(1, -2).mean(1), rtol=1e-4, atol=1e-5)


def test_a_depth_that_there_is_not_is_told():
    with pytest.raises(ModelError, match="depths"):
        clip_features(model(), torch.zeros(1, 3, 3, 32, 32, dtype=torch.uint8), depth=99)


def test_the_digest_tells_weights_and_normalisation_apart():
    net = model()
    own = weights_digest(net)
    assert weights_digest(model()) == own
    net.normalise_by(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.25))
    other = weights_digest(net)
    assert other != own
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] += 1
    assert weights_digest(net) not in (own, other)


def test_what_is_taken_where_nothing_is_said_is_what_predictions_take():
    own, many = function_defaults(extract_features), function_defaults(predict_videos)
    for name in ("clips", "backend", "timeout_seconds"):
        assert own[name] == many[name]
    assert function_defaults(clip_features) == {name: own[name] for name in ("kind", "depth")}
