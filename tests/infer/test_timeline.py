"""The scores of windows: those of the same parts by themselves, each frame decoded and encoded once, few held."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.defaults import function_defaults
from tests.infer.joined import Stretch, boundary_errors, segment_f1
from tests.infer.test_predict import model
from tests.runs.own_clips import ENCODER
from tests.video.clips import make_clip, watch_decoder
from vidtok.errors import DecodeError, ModelError
from vidtok.infer.predict import model_views, predict_videos
from vidtok.infer.timeline import Stream, score_windows, window_length
from vidtok.models.classifier import Classifier
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import open_video
from vidtok.video.windows import plan_windows

SEGMENTS = Feeding(stride=1, sampling="segments", short_side=None, fit="pad", video_seconds=0.8)


def encoder_model() -> Classifier:
    """A picture network with random weights, which sees frames by themselves."""
    options = {"encoder": ENCODER, "summary": "maps_motion"}
    made = create_model("encoder", classes=["a", "b", "c"], frames=4, size=64, feeding=SEGMENTS, seed=0, **options)
    torch.nn.init.normal_(made.network.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    return made.eval()


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    options = {"x264-params": "keyint=12:min-keyint=12:bframes=2:scenecut=0"}
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", frames=75, fps=Fraction(25), options=options)


def by_hand(net: Classifier, video: Path, **options: float | None) -> np.ndarray:
    """Every window's clip cut out by itself."""
    views = model_views(net)
    with open_video(video) as reader, torch.inference_mode():
        windows = plan_windows(views.clip, reader.pts_seconds, **options)
        clips = []
        for row in windows.indices:
            (view,) = views.views(reader.pts_seconds, np.random.default_rng(0))
            clips.append(views.cut(reader, [replace(view, indices=row)], np.random.default_rng(0)))
        return net(torch.cat(clips)).softmax(1).numpy()


@pytest.mark.parametrize("batch", [1, 3, 100])
@pytest.mark.parametrize("make", [model, encoder_model])
def test_scores_are_those_of_each_window_by_itself(video, make, batch):
    net = make()
    seconds = 0.8 if make is encoder_model else None
    found = score_windows(net, video, batch=batch, step_seconds=0.2)
    wanted = by_hand(net, video, window_seconds=seconds, step_seconds=0.2)
    assert len(wanted) > 8
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-4, atol=1e-5)
    shares = []
    score_windows(net, video, said=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.2 < 0.9 < shares[-1] <= 1
    assert (found.begin_seconds, found.end_seconds) == pytest.approx((0.0, 3.0))
    assert found.cuts == ()


def test_each_frame_is_decoded_and_encoded_once(video, monkeypatch):
    net, decoded, encoded = encoder_model(), watch_decoder(monkeypatch), []
    maps = net.network.maps
    monkeypatch.setattr(net.network, "maps", lambda x: (encoded.append(x.shape[1]), maps(x))[1])
    found = score_windows(net, video, step_seconds=0.2, find_cuts=True)
    times = [frame.pts for frame in decoded]
    assert times[-75:] == sorted(set(times))
    assert times[:-75] in ([], times[-75:-74]), "the check of types in tests asks a reader for its pictures' size"
    assert net.network.why_whole() is None
    assert sum(encoded) == len(torch.unique(found.windows.indices)) == 15
    assert found.windows.indices.numel() == 12 * 4


@pytest.mark.slow
@pytest.mark.parametrize("make", [model, encoder_model])
def test_what_is_held_does_not_grow_with_the_length(make):
    net = make()
    indices = torch.arange(0, 400, 2)[:, None] + torch.arange(net.architecture.frames)
    stream, most = Stream(net, indices, batch=2), 0
    size = net.architecture.size
    for index in range(int(indices.max()) + 1):
        stream.put(index, torch.zeros(3, size, size, dtype=torch.uint8))
        most = max(most, stream.held)
    assert most <= net.architecture.frames + 2 * 2
    assert stream.held == 0
    assert stream.scores().shape == (200, 3)


def test_pictures_whose_memory_is_used_again_are_kept(video):
    net = model()
    indices = torch.arange(net.architecture.frames)[None]
    stream, picture = Stream(net, indices, batch=1), torch.zeros(3, 32, 32, dtype=torch.uint8)
    pictures = []
    for index in range(net.architecture.frames):
        picture.fill_(60 * index)
        pictures.append(picture.clone())
        stream.put(index, picture)
    with torch.inference_mode():
        wanted = net(torch.stack(pictures)[None]).softmax(1)
    np.testing.assert_allclose(stream.scores(), wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_a_decoder_that_begins_anew_changes_nothing(video, monkeypatch):
    net = model()
    wanted = score_windows(net, video)

    each_at = PyAVReader.each_at

    def misled(self, indices, *, short_side=None):
        for count, (index, picture) in enumerate(each_at(self, indices, short_side=short_side)):
            yield index, torch.zeros_like(picture)
            if count == 20:
                break
        yield from each_at(self, indices, short_side=short_side)

    monkeypatch.setattr(PyAVReader, "each_at", misled)
    np.testing.assert_array_equal(score_windows(net, video).scores, wanted.scores)


def test_the_time_that_the_network_takes_is_not_the_decoder_s(video, monkeypatch):
    now = [0.0]
    run = Stream._run

    def slow(self, stop):
        now[0] += 20.0
        run(self, stop)

    monkeypatch.setattr(Stream, "_run", slow)
    monkeypatch.setattr("vidtok.video.opened.monotonic", lambda: now[0])
    assert len(score_windows(model(), video, timeout_seconds=15.0, batch=2).scores) > 5
    assert now[0] >= 60.0


def test_several_labels_have_scores_of_their_own_and_the_model_is_left_as_it_was(video):
    net = model(Feeding(stride=2, short_side=40, scores="sigmoid")).train()
    found = score_windows(net, video)
    assert net.training
    assert not np.allclose(found.scores.sum(axis=1), 1.0)


def test_a_broken_file_and_a_length_that_nobody_knows_are_told(video, tmp_path):
    (tmp_path / "b.mp4").write_text("no video")
    with pytest.raises(DecodeError, match=r"b\.mp4"):
        score_windows(model(), tmp_path / "b.mp4")
    make_clip(tmp_path / "one.mp4", frames=1)
    with pytest.raises(DecodeError, match=r"one\.mp4: has one frame"):
        score_windows(model(), tmp_path / "one.mp4")
    net = encoder_model()
    net.feeding = replace(SEGMENTS, video_seconds=None)
    with pytest.raises(ModelError, match="say how many seconds a window has: `window_seconds`"):
        score_windows(net, video)
    assert len(score_windows(net, video, window_seconds=0.8).scores) > 3
    with pytest.raises(ModelError, match="windows come in their order"):
        Stream(net, torch.tensor([[4, 5], [2, 6]]), batch=1)


def test_the_measure_of_segments():
    truth = [Stretch(start=0.0, end=2.0, name="a"), Stretch(start=2, end=4, name="b")]
    assert segment_f1(truth, truth) == 1.0
    late = [Stretch(start=0, end=3.1, name="a"), Stretch(start=3.1, end=4, name="b")]
    assert segment_f1(late, truth) == 0.5, "0.9 of 2 is less than half"
    assert boundary_errors(late, truth) == pytest.approx([1.1])
    assert segment_f1([*truth, Stretch(start=4, end=5, name="b")], truth) == pytest.approx(0.8)


def test_what_is_taken_where_nothing_is_said_is_what_predictions_take(video):
    own, many = function_defaults(score_windows), function_defaults(predict_videos)
    for name in ("batch", "backend", "timeout_seconds"):
        assert own[name] == many[name]
    assert window_length(model(), None) is None
    assert window_length(model(), 2.5) == 2.5
    assert window_length(encoder_model(), None) == 0.8
    with pytest.raises(ModelError, match="windows come in their order"):
        Stream(model(), torch.tensor([[2, 6], [3, 5]]), batch=1)
    Stream(model(), torch.tensor([[2, 6], [2, 6]]), batch=1)  # which may stand still
