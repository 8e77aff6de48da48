"""Windows of a stream: the scores of the whole network on the same frames, each time step computed once."""

import jaxtyping
import pytest
import torch

from tests.models.networks import SIZES, SPACE
from vidtok import StreamingClassifier
from vidtok.errors import ModelError
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding

OPTIONS = {key: value for key, value in SIZES.items() if key not in ("classes", "frames", "size")}


def model(*, scores="softmax", **options):
    feeding = Feeding(stride=1, short_side=16, scores=scores)
    options = {"frames": 6, "size": (16, 24), **OPTIONS, **options}
    made = create_model("vivit", classes=[*"abcde"], feeding=feeding, seed=0, **options)
    torch.nn.init.normal_(made.network.head.logits.weight, std=0.3, generator=torch.Generator().manual_seed(0))
    return made.train()


def streamable(**options):
    learner = {"after_block": 1, "tokens": 3}
    return model(mixer=SPACE, token_learner=learner, position="learned_separable", **options)


def video(frames=15):
    return torch.randint(0, 256, (frames, 3, 16, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def windows_by_hand(net, frames, *, step=2):
    with torch.no_grad():
        starts = range(0, len(frames) - 6 + 1, step)
        return net.eval()(torch.stack([frames[i : i + 6] for i in starts])).softmax(1)


@pytest.mark.parametrize("pieces", [[1] * 15, [15], [3, 1, 5, 6], [7, 8]])
def test_streaming_is_the_full_computation_on_the_same_windows(pieces):
    for net, options in ((streamable(), {}), (model(), {"whole_windows": True})):
        stream, frames, found = StreamingClassifier(net, **options), video(), []
        assert stream.missing_frames == 6
        for piece in frames.split(pieces):
            found.append(stream.push(piece))
        assert sum(map(len, found)) == 5
        wanted = windows_by_hand(net, frames)
        assert wanted.std(0).min() > 1e-3
        torch.testing.assert_close(torch.cat(found), wanted, rtol=0, atol=1e-5)
        assert stream.missing_frames == 1  # 15 frames are seven steps of two, and one


def test_each_time_step_is_computed_once(monkeypatch):
    stream, seen = StreamingClassifier(streamable()), []
    network = stream.model.network
    steps = network.steps
    monkeypatch.setattr(network, "steps", lambda x: (seen.append(x.shape[1]), steps(x))[1])
    for frame in video(14):
        stream.push(frame[None])
    assert seen == [2] * 7


def test_the_latest_alone_and_a_new_beginning():
    net, frames = streamable(), video(40)
    wanted = windows_by_hand(net, frames)
    stream = StreamingClassifier(net)
    assert stream.push(frames[:5], latest=True).shape == (0, 5)
    torch.testing.assert_close(stream.push(frames[5:12], latest=True), wanted[3:4], rtol=0, atol=1e-5)
    torch.testing.assert_close(stream.push(frames[12:39], latest=True), wanted[16:17], rtol=0, atol=1e-5)
    torch.testing.assert_close(stream.push(frames[39:]), wanted[17:], rtol=0, atol=1e-5)
    stream.reset()
    assert stream.missing_frames == 6
    assert len(stream.push(frames[:4])) == 0
    torch.testing.assert_close(stream.push(frames[4:6]), wanted[:1], rtol=0, atol=1e-5)


def test_scores_are_of_the_model_s_kind_and_it_is_asked_at_rest():
    net = streamable(scores="sigmoid", dropout=0.5)
    (found,) = StreamingClassifier(net).push(video(6))
    with torch.no_grad():
        torch.testing.assert_close(found, net.eval()(video(6)[None])[0].sigmoid(), rtol=0, atol=1e-5)


def test_it_computes_with_the_model_s_form_for_inference_and_leaves_the_model_alone():
    net = streamable()
    stream = StreamingClassifier(net)
    assert stream.model.network.is_inference_form
    assert net.training
    assert not net.network.is_inference_form
    assert StreamingClassifier(stream.model).model is stream.model
    own = {id(each) for each in net.parameters()}
    assert not own & {id(each) for each in stream.model.parameters()}


def test_what_cannot_stream_is_refused_with_what_would_be_right():
    with pytest.raises(ModelError, match=r"time steps meet in its first block .* `position`=learned_separable"):
        StreamingClassifier(model())
    with pytest.raises(ModelError, match="what makes scores of this model's logits is not known"):
        StreamingClassifier(create_model("vivit", classes=5, frames=6, size=(16, 24), **OPTIONS))
    stream = StreamingClassifier(streamable())
    for wrong in (video()[..., :-1], video()[0], video()[:, :1], video().float()):
        with pytest.raises((ModelError, jaxtyping.TypeCheckError), match=r"takes frames as uint8, f 3 16 24|frames"):
            stream.push(wrong)
