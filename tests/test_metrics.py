"""Top-k against a plain loop, and the confusion matrix."""

import pytest
import torch

from vidtok.metrics import confusion, top_k_hits


def naive_hits(scores, labels, k):
    hits = []
    for row, own in zip(scores.tolist(), labels, strict=True):
        hit = False
        for label in own:
            others = [value for j, value in enumerate(row) if j != label and value >= row[label]]
            hit = hit or len(others) < k
        hits.append(hit)
    return hits


@pytest.mark.parametrize("k", [1, 3, 5])
def test_hits_equal_a_plain_loop(k):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 6, (200, 7), generator=generator).double()  # many ties
    labels = [(int(label),) for label in torch.randint(0, 7, (200,), generator=generator)]
    labels[5] = (1, 4)
    assert top_k_hits(scores, labels, k=k).tolist() == naive_hits(scores, labels, k)


def test_a_constant_output_hits_nothing():
    assert top_k_hits(torch.zeros(4, 3), [(0,), (1,), (2,), (0,)], k=1).sum() == 0


def test_nan_hits_nothing():
    assert not top_k_hits(torch.tensor([[0.0, float("nan")]]), [(1,)], k=1).any()


def test_more_than_all_classes_is_an_error():
    with pytest.raises(ValueError, match="at least 5 classes"):
        top_k_hits(torch.zeros(1, 4), [(0,)], k=5)


def test_confusion_counts_rows_by_label():
    table = confusion(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 1, 2]), classes=3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
