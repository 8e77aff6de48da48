"""Processes that start together meet, whatever earlier starts have left in the store."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch.distributed as dist

from vidtok.errors import TrainingError
from vidtok.train.rendezvous import fresh_store


def meet(store, order=(0, 1, 2)):
    """Every rank hands in a word of its own and reads those of all; they come in this order."""

    def one(rank):
        part = fresh_store(store, rank=rank, world=3, timeout_seconds=30.0)
        mine = f"{rank} of {id(order)}"
        part.set(f"word/{rank}", mine)
        return [part.get(f"word/{other}").decode() for other in range(3)]

    with ThreadPoolExecutor(3) as pool:
        return [future.result() for future in [pool.submit(one, rank) for rank in order]]


def test_each_start_meets_anew_in_the_store_of_all():
    store = dist.HashStore()
    for order in [(0, 1, 2), (2, 1, 0), (1, 0, 2)]:
        words = [f"{rank} of {id(order)}" for rank in range(3)]
        assert meet(store, order) == [words] * 3


def test_a_start_that_was_killed_half_way_is_no_hindrance():
    store = dist.HashStore()
    meet(store)
    store.set("here/1", "a nonce of a process that is dead")
    store.set("answer/2", "a nonce of a process that is dead name")
    store.set("ack/2", "name")
    order = (1, 2, 0)
    assert meet(store, order) == [[f"{rank} of {id(order)}" for rank in range(3)]] * 3


def test_one_that_does_not_come_is_told():
    with pytest.raises(TrainingError, match="2 of 3 processes, such as rank 1, have not come to the meeting point"):
        fresh_store(dist.HashStore(), rank=0, world=3, timeout_seconds=0.1)
    with pytest.raises(TrainingError, match="rank 0 has not come"):
        fresh_store(dist.HashStore(), rank=2, world=3, timeout_seconds=0.1)
