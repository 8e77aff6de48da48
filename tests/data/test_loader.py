"""Which record is seen when: a pure function of the seed and the step, on any number of processes."""

import pytest

from vidtok.data.loader import EvalBatches, TrainBatches


def stream(**options):
    batches = TrainBatches(**{"records": 10, "batch": 4, "steps": 12, "seed": 3, **options})
    return list(batches)


def test_epochs_lie_end_to_end():
    keys = [key for batch in stream() for key in batch]
    assert all(len(batch) == 4 for batch in stream())
    for epoch in range(4):
        assert sorted(record for record, e in keys if e == epoch) == list(range(10))
    orders = [[record for record, e in keys if e == epoch] for epoch in range(4)]
    assert len({tuple(order) for order in orders}) == 4


def test_a_later_start_sees_the_same():
    assert stream(first_step=7) == stream()[7:]


@pytest.mark.parametrize("world", [2, 3, 5])
def test_processes_share_each_step_without_rest(world):
    parts = [stream(rank=rank, world=world) for rank in range(world)]
    for step, whole in enumerate(stream()):
        assert sorted(key for part in parts for key in part[step]) == sorted(whole)


def test_other_seeds_give_other_orders():
    assert stream(seed=4) != stream(seed=3)


def test_a_batch_larger_than_the_list():
    (batch,) = stream(records=3, batch=8, steps=1)
    assert [epoch for _, epoch in batch] == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("world", [1, 2, 3, 11])
def test_evaluation_takes_every_record_once(world):
    parts = [list(EvalBatches(records=10, batch=3, rank=rank, world=world)) for rank in range(world)]
    seen = [record for part in parts for batch in part for record, _ in batch]
    assert sorted(seen) == list(range(10))
    assert [len(EvalBatches(records=10, batch=3, rank=r, world=world)) for r in range(world)] == [len(p) for p in parts]
