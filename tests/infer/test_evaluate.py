"""From views to one prediction per video, and what failed videos do to the figures."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from vidtok.errors import ModelError
from vidtok.infer.evaluate import aggregate_views, autocast, join_clips, measure, merge, predict_views
from vidtok.types import Batch, Damaged, Failure

CPU = torch.device("cpu")


class MeanColour(nn.Module):
    """Logits that are known: the mean of each colour. It also counts how many views came at once."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def forward(self, x):
        assert not self.training
        self.most = max(self.most, len(x))
        return x.double().mean((1, 3, 4)).float()


def batch(indices, failures=(), views=3):
    generator = torch.Generator().manual_seed(sum(indices))
    pixels = torch.randint(0, 256, (len(indices), views, 2, 3, 4, 4), generator=generator, dtype=torch.uint8)
    return Batch(
        views=pixels,
        labels=tuple((i % 3,) for i in indices),
        indices=tuple(indices),
        video_ids=tuple(f"v{i}" for i in indices),
        failures=tuple(Failure(index=i, path=Path(f"v{i}"), cause="broken", key=f"v{i}") for i in failures),
    )


def softmax(row, k):
    return math.exp(row[k]) / sum(math.exp(value) for value in row)


def sigmoid(row, k):
    return 1 / (1 + math.exp(-row[k]))


@pytest.mark.parametrize(("kind", "score"), [("softmax", softmax), ("sigmoid", sigmoid)])
def test_aggregation_follows_its_formulas(kind, score):
    one, two = [2.0, 0.0, -1.0], [0.0, 3.0, 0.0]
    logits = torch.tensor([[one, two]], dtype=torch.float64)
    mean = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    for k in range(3):
        both = score(one, k), score(two, k)
        assert aggregate_views(logits, "scores", kind=kind)[0, k] == pytest.approx(sum(both) / 2)
        assert aggregate_views(logits, "max", kind=kind)[0, k] == pytest.approx(max(both))
        assert aggregate_views(logits, "logits", kind=kind)[0, k] == pytest.approx(score(mean, k))


def test_predictions_come_in_list_order_whatever_the_batches():
    model = MeanColour().train()
    shuffled = [batch([4, 1], failures=[3]), batch([], failures=[0]), batch([2])]
    got = predict_views(model, shuffled, classes=3, device=CPU)
    assert got.indices == (1, 2, 4)
    assert [failure.index for failure in got.failures] == [0, 3]
    assert got.logits.shape == (3, 3, 3)
    assert model.training
    expected = shuffled[0].views[1, 2].double().mean((0, 2, 3)).float()
    assert torch.equal(got.logits[0, 2], expected)


def test_max_views_bounds_the_memory_and_changes_nothing():
    small, large = MeanColour(), MeanColour()
    one = predict_views(small, [batch([0, 1, 2])], classes=3, device=CPU, max_views=2)
    other = predict_views(large, [batch([0, 1, 2])], classes=3, device=CPU, max_views=100)
    assert (small.most, large.most) == (2, 9)
    assert torch.equal(one.logits, other.logits)


def test_a_list_in_which_everything_failed():
    got = predict_views(MeanColour(), [batch([], failures=[0, 1])], classes=3, device=CPU)
    for kind, name in (("softmax", "top1"), ("sigmoid", "mAP")):
        figures = measure(got.scores("logits", kind=kind), got.labels, kind=kind, missed=[(0,), (1,)])
        assert (figures.n, figures.failed, figures.readable[name]) == (2, 2, 0.0)
    # Two failed videos are one group of equal scores: all that can be said is that half of them have the class.
    assert figures.values == {"mAP": 0.5, "top1": 0.0}
    assert figures.empty_classes == 1


def test_processes_are_merged_into_list_order():
    model = MeanColour()
    whole = predict_views(model, [batch([0]), batch([1]), batch([2], failures=[5])], classes=3, device=CPU)
    first = predict_views(model, [batch([0]), batch([2], failures=[5])], classes=3, device=CPU)
    second = predict_views(model, [batch([1])], classes=3, device=CPU)
    both = merge([first, second])
    assert both.indices == whole.indices
    assert torch.equal(both.logits, whole.logits)
    assert both.failures == whole.failures


def test_failed_videos_count_as_wrong():
    scores = torch.eye(8)[:4]
    labels = [(0,), (1,), (2,), (7,)]
    figures = measure(scores, labels, kind="softmax", missed=[(3,)])
    assert (figures.n, figures.failed) == (5, 1)
    assert figures.values == pytest.approx({"top1": 3 / 5, "top5": 3 / 5})
    assert figures.readable == pytest.approx({"top1": 3 / 4, "top5": 3 / 4})
    assert figures.as_dict() == {
        "n": 5, "failed": 1, "damaged": 0, "top1": 3 / 5, "top5": 3 / 5, "top1_readable": 3 / 4, "top5_readable": 3 / 4
    }  # fmt: skip
    few = measure(scores[:, :5], [(0,), (1,), (2,), (4,)], kind="softmax", missed=[])
    assert few.values.keys() == few.readable.keys() == {"top1"}


def test_a_failed_video_stands_last_in_every_class():
    scores = torch.tensor([[0.9, 0.1, 0.2], [0.2, 0.8, 0.1], [0.5, 0.4, 0.3]], dtype=torch.float64)
    figures = measure(scores, [(0, 1), (1,), (0,)], kind="sigmoid", missed=[(0,)])
    # Class 0 is found in places 1 and 2, and last of all in the failed one: (1/1 + 2/2 + 3/4) / 3. Class 1 in places
    # 1 and 3. Nobody has class 2.
    assert figures.values == pytest.approx({"mAP": ((1 + 1 + 3 / 4) / 3 + (1 + 2 / 3) / 2) / 2})
    assert figures.readable == pytest.approx({"mAP": (1 + (1 + 2 / 3) / 2) / 2})
    assert (figures.n, figures.failed, figures.empty_classes) == (4, 1, 1)
    assert figures.as_dict()["empty_classes"] == 1


def test_single_labels_under_a_sigmoid_have_both_figures():
    scores = torch.tensor([[0.9, 0.8], [0.6, 0.7]])
    figures = measure(scores, [(0,), (0,)], kind="sigmoid", missed=[])
    assert figures.values == {"mAP": 1.0, "top1": 0.5}
    assert next(iter(figures.values)) == "mAP"


def test_damaged_videos_are_counted_as_they_are_and_named():
    spoiled = [Damaged(index=i, path=Path(f"v{i}"), frames=i + 1) for i in (4, 1)]
    batches = [replace(batch([0, index]), damaged=(each,)) for index, each in zip((4, 1), spoiled, strict=True)]
    parts = [predict_views(MeanColour(), [one], classes=3, device=CPU) for one in batches]
    assert merge(parts).damaged == (spoiled[1], spoiled[0])
    together = predict_views(MeanColour(), batches, classes=3, device=CPU)
    assert together.damaged == (spoiled[1], spoiled[0])
    scores = together.scores("logits", kind="softmax")
    figures = measure(scores, together.labels, kind="softmax", missed=[], damaged=len(together.damaged))
    assert (figures.n, figures.damaged, figures.as_dict()["damaged"]) == (4, 2, 2)
    assert figures.values == measure(scores, together.labels, kind="softmax", missed=[]).values


def test_one_view_beside_all():
    got = predict_views(MeanColour(), [batch([0, 1])], classes=3, device=CPU)
    assert torch.allclose(got.scores("logits", kind="softmax", view=1), got.logits[:, 1].softmax(-1))
    assert torch.allclose(got.scores("max", kind="sigmoid", view=1), got.logits[:, 1].sigmoid())


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float32)]
)
def test_the_arithmetic_of_a_forward_pass_on_a_processor(precision, dtype):
    linear = torch.nn.Linear(2, 2)
    with autocast(torch.device("cpu"), precision):
        assert linear(torch.zeros(1, 2)).dtype == dtype


@pytest.mark.parametrize("aggregate", ["logits", "scores", "max"])
def test_videos_may_have_different_numbers_of_views(aggregate):
    """What stands behind a video's own views counts for nothing, whatever the batches and processes."""
    three, one = batch([1, 0], views=3), batch([2], views=1)
    ragged = replace(three, counts=(3, 2), views=three.views.index_fill(1, torch.tensor([2]), 0))
    ragged.views[0, 2] = three.views[0, 2]
    got = predict_views(MeanColour(), [ragged, one], classes=3, device=CPU)
    assert got.counts == (2, 3, 1)  # of videos 0, 1 and 2
    scores = got.scores(aggregate, kind="softmax")
    for row, pixels in enumerate((three.views[1, :2], three.views[0], one.views[0])):
        logits = MeanColour().eval()(pixels)[None]
        assert torch.allclose(scores[row], aggregate_views(logits, aggregate, kind="softmax")[0])
    last = got.scores("logits", kind="softmax", view=lambda count: count - 1)
    expected = MeanColour().eval()(three.views[1, 1:2]).softmax(-1)
    assert torch.allclose(last[0], expected[0])
    parts = [predict_views(MeanColour(), [each], classes=3, device=CPU) for each in (ragged, one)]
    merged = merge(parts)
    assert merged.counts == got.counts
    assert torch.equal(merged.scores(aggregate, kind="softmax"), scores)


def test_clips_that_are_joined_are_one_view_for_each_crop():
    """Views are clip by clip: 0 and 2 are the two clips of the first crop, 1 and 3 of the second."""
    views = batch([0, 1], views=4).views
    joined = join_clips(views, 2)
    assert torch.equal(joined[:, 0], torch.cat([views[:, 0], views[:, 2]], dim=1))
    assert torch.equal(joined[:, 1], torch.cat([views[:, 1], views[:, 3]], dim=1))
    assert join_clips(views, 1) is views
    got = predict_views(MeanColour(), [batch([0, 1], views=4)], classes=3, device=CPU, joined=2)
    assert torch.allclose(got.logits, MeanColour().eval()(joined.flatten(0, 1)).view(2, 2, 3))
    ragged = replace(batch([0, 1], views=4), counts=(4, 2))
    with pytest.raises(ModelError, match="unequal numbers"):
        predict_views(MeanColour(), [ragged], classes=3, device=CPU, joined=2)


def test_some_views_beside_all():
    """The second of each three views, of videos that have as many and of those that have fewer."""
    got = predict_views(MeanColour(), [batch([0, 1], views=6)], classes=3, device=CPU)
    middle = got.scores("scores", kind="softmax", view=lambda count: slice(1, count, 3))
    assert torch.allclose(middle, got.logits[:, [1, 4]].softmax(-1).mean(1))
    ragged = replace(got, counts=(3, 6))
    fewer = ragged.scores("scores", kind="softmax", view=lambda count: slice(1, count, 3))
    assert torch.allclose(fewer[0], got.logits[0, 1].softmax(-1))
    assert torch.allclose(fewer[1], middle[1])
