"""Labels for videos: the views, the order, the batches, and what happens to a model on the way."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

import vidtok
from tests.defaults import defaults, function_defaults
from tests.video.clips import make_clip
from vidtok.config import EvalConfig
from vidtok.config_data import DataConfig
from vidtok.data.views import TestViews
from vidtok.errors import DecodeError, ModelError
from vidtok.infer.features import extract_features
from vidtok.infer.predict import Prediction, VideoClassifier, model_views, predict_videos
from vidtok.models.classifier import Classifier
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.types import Failure
from vidtok.video.reader import open_video

FEEDING = Feeding(stride=2, short_side=40)


def model(feeding: Feeding | None = FEEDING) -> Classifier:
    made = create_model("casvit_xs", classes=["a", "b", "c"], frames=3, size=32, feeding=feeding, seed=0)
    head: torch.nn.Linear = made.network.head
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(0))
    return made.eval()


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    for k in range(5):
        make_clip(folder / f"{k}.mp4", frames=12 + 3 * k)
    (folder / "2.mp4").write_text("no video")
    return [folder / f"{k}.mp4" for k in range(5)]


def test_scores_are_those_of_the_views_by_hand_and_failures_keep_their_place(videos):
    net = model()
    found = list(predict_videos(net, videos, clips=2, crops=3, batch=2, max_views=4))
    assert [each.path for each in found] == videos
    assert [isinstance(each, Failure) for each in found] == [False, False, True, False, False]
    views = model_views(net, clips=2, crops=3)
    with open_video(videos[3]) as reader:
        clips = views.cut(reader, views.views(reader.pts_seconds, np.random.default_rng(0)), np.random.default_rng(0))
    with torch.inference_mode():
        wanted = net(clips).mean(0).softmax(0)
    assert isinstance(found[3], Prediction)
    torch.testing.assert_close(found[3].scores, wanted)
    best = found[3].top(2)
    assert found[3].label == best[0][0]
    assert len(found[3].top()) == 3
    # Other batches may round otherwise, as above.
    assert [score for _, score in best] == pytest.approx(sorted(wanted.tolist(), reverse=True)[:2], rel=1e-5)
    assert best[0][0] == "abc"[int(wanted.argmax())]


@pytest.mark.parametrize(("max_views", "seen"), [(1, [1] * 6), (4, [4, 2])])
def test_no_more_clips_go_through_the_network_at_once_than_are_allowed(videos, max_views, seen):
    net, sizes = model(), []
    net.network.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    assert len(list(predict_videos(net, videos[:1], clips=2, crops=3, max_views=max_views))) == 1
    assert sizes == seen


@pytest.mark.parametrize("batch", [1, 8])
def test_batches_change_nothing_and_the_model_is_left_as_it_was(videos, batch):
    net = model().train()
    found = [each for each in predict_videos(net, videos, batch=batch) if isinstance(each, Prediction)]
    assert net.training
    for each, one in zip(found, (next(predict_videos(net, [each.path])) for each in found), strict=True):
        assert isinstance(one, Prediction)
        torch.testing.assert_close(each.scores, one.scores, rtol=1e-5, atol=1e-6)


def test_several_labels_have_scores_of_their_own(videos):
    net = model(Feeding(stride=2, short_side=40, scores="sigmoid"))
    (found,) = predict_videos(net, videos[:1])
    (soft,) = predict_videos(model(), videos[:1])
    assert isinstance(found, Prediction)
    assert isinstance(soft, Prediction)
    assert float(soft.scores.sum()) == pytest.approx(1.0)
    assert float(found.scores.sum()) != pytest.approx(1.0)


def test_a_loaded_model_takes_a_file_and_gives_the_same(videos, tmp_path):
    net = model()
    net.save_pretrained(tmp_path / "saved")
    loaded = vidtok.load(tmp_path / "saved")
    one = loaded.predict(videos[1], clips=2, crops=3)
    (wanted,) = predict_videos(net, [videos[1]], clips=2, crops=3)
    assert isinstance(wanted, Prediction)
    assert torch.equal(one.scores, wanted.scores)
    assert one.path == videos[1]
    with pytest.raises(DecodeError, match=r"2\.mp4"):
        loaded.predict(str(videos[2]))


def test_a_model_that_opens_files_is_the_model_it_was_made_of(videos):
    net = model().double().train()
    made = VideoClassifier.of(net)
    assert made.training
    assert made.network is net.network
    assert made.mean.dtype == torch.float64
    assert made.describe() == net.describe()


def test_no_videos_are_no_predictions():
    assert list(predict_videos(model(), [])) == []


def test_a_model_that_does_not_know_how_it_was_fed_says_so(videos):
    with pytest.raises(ModelError, match="how clips are taken from videos is not known"):
        next(predict_videos(model(None), videos))


def test_ways_to_look_at_videos_take_the_same_where_nothing_is_said():
    """A file and a list of them, the configuration's limits, and the centre of the middle for every way."""
    many, one, views = map(function_defaults, (predict_videos, VideoClassifier.predict, model_views))
    assert {name: many[name] for name in one} == one
    assert {name: many[name] for name in views} == views
    assert (views["clips"], views["crops"], many["workers"]) == (1, 1, 0)
    tested, data = defaults(EvalConfig), defaults(DataConfig)
    for name in ("batch", "max_views", "aggregate"):
        assert many[name] == tested[name]
    for name in ("backend", "timeout_seconds"):
        assert many[name] == data[name]
    names = tuple("abcdefg")
    assert len(Prediction(path=Path("a"), scores=torch.arange(7.0), classes=names).top()) == 5


def test_pixels_in_memory_do_not_grow_with_the_number_of_videos(videos, monkeypatch):
    """Bytes of pixels that are alive at once, when the next video has been cut: of 40 videos as many as of 10."""
    alive: list[weakref.ref] = []
    peaks: list[int] = []
    cut = TestViews.cut

    def watched(self, reader, planned, rng, *, size=None):
        pixels = cut(self, reader, planned, rng, size=size)
        alive.append(weakref.ref(pixels))
        alive[:] = [each for each in alive if each() is not None]
        peaks.append(sum(each().nbytes for each in alive))
        return pixels

    monkeypatch.setattr(TestViews, "cut", watched)
    net, found = model(), {}
    for name, work in (("labels", predict_videos), ("features", extract_features)):
        for count in (10, 40):
            peaks.clear()
            done = work(net, [videos[row % 2] for row in range(count)])
            assert sum(1 for _ in done) == count == len(peaks)
            found[name, count] = max(peaks)
    assert {name: found[name, 40] for name in ("labels", "features")} == {
        name: found[name, 10] for name in ("labels", "features")
    }
    assert all(1 <= peak // (3 * 3 * 32 * 32) < 10 for peak in found.values()), (
        "some are held, and fewer than there are"
    )
