"""From views to one prediction per video, and what failed videos do to the figures."""

from pathlib import Path

import pytest
import torch
from torch import nn

from vidtok.evaluate import accuracy, aggregate_views, merge, predict_views
from vidtok.types import Batch, Failure

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
        failures=tuple(Failure(index=i, path=Path(f"v{i}"), cause="broken") for i in failures),
    )


def test_aggregation_follows_its_formulas():
    logits = torch.tensor([[[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]]], dtype=torch.float64)
    scores = [[torch.exp(row[k]) / torch.exp(row).sum() for k in range(3)] for row in logits[0]]
    for k in range(3):
        assert aggregate_views(logits, "scores")[0, k] == pytest.approx(float(scores[0][k] + scores[1][k]) / 2)
        assert aggregate_views(logits, "max")[0, k] == pytest.approx(float(max(scores[0][k], scores[1][k])))
    mean = logits.mean(1)
    assert torch.allclose(aggregate_views(logits, "logits"), torch.exp(mean) / torch.exp(mean).sum())


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
    figures = accuracy(got.scores("logits"), got.labels, failed=2)
    assert (figures.n, figures.failed, figures.top1) == (2, 2, 0.0)


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
    figures = accuracy(scores, [(0,), (1,), (2,), (7,)], failed=1)
    assert (figures.n, figures.failed) == (5, 1)
    assert figures.top1 == pytest.approx(3 / 5)
    assert figures.top1_readable == pytest.approx(3 / 4)
    assert accuracy(scores[:, :5], [(0,), (1,), (2,), (4,)], failed=0).top5 is None


def test_one_view_beside_all():
    got = predict_views(MeanColour(), [batch([0, 1])], classes=3, device=CPU)
    assert torch.allclose(got.scores("logits", view=1), got.logits[:, 1].softmax(-1))
