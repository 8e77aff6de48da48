"""Memory that goes round between workers and training: used again, and never under a batch that is still there."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch.utils.data import DataLoader

from vidtok.data.buffers import FRESH, MakeRoom, Taken, WorkerBuffers, own_memory

BUFFERS = 4


class Fill:
    """Batches whose bytes are all the number of the batch, of a size that changes from batch to batch."""

    def __init__(self, room: MakeRoom, sizes: Sequence[int]):
        self.room, self.sizes = room, sizes

    def __call__(self, keys):
        return self.room((self.sizes[keys[0] % len(self.sizes)], 3)).fill_(keys[0])


def batches(count: int, *, sizes: Sequence[int] = (5000,)) -> Iterator[torch.Tensor]:
    taken = Taken(workers=2, buffers=BUFFERS)
    fill = Fill(WorkerBuffers(taken.marks).empty, sizes)
    loader = DataLoader(range(count), batch_size=1, num_workers=2, collate_fn=fill)  # pyright: ignore[reportArgumentType]
    for batch in loader:
        taken.receive(batch)
        yield batch
        del batch
        taken.free()


def place(batch: torch.Tensor) -> int:
    return int(batch.as_strided((8,), (1,), 0).view(torch.int64))


def test_a_few_buffers_carry_any_number_of_batches():
    places = set()
    for number, batch in enumerate(batches(60)):
        assert batch.shape == (5000, 3)
        assert (batch == number).all()
        places.add(place(batch))
    assert places <= set(range(2 * BUFFERS))


@pytest.mark.parametrize("every", [1, 2, 5])
def test_batches_that_are_kept_stay_as_they_are(every):
    """A view of a few bytes keeps the whole batch; another process may not write there."""
    kept, places = {}, []
    for number, batch in enumerate(batches(60)):
        places.append(place(batch))
        if number % every == 0:
            kept[number] = batch[7:9, 1]
    for number, view in kept.items():
        assert view.tolist() == [number] * 2
    assert places.count(FRESH) >= 60 // every - 2 * BUFFERS  # nothing waits for those who keep


def test_batches_may_grow_and_shrink():
    sizes = (10, 4000, 1, 0, 9000)
    for number, batch in enumerate(batches(60, sizes=sizes)):
        assert batch.shape == (sizes[number % 5], 3)
        assert (batch == number).all()


def test_a_batch_is_given_back_once_and_by_its_last_tensor():
    taken = Taken(workers=1, buffers=2)
    taken.marks[0, 1] = True
    memory = torch.zeros(100, dtype=torch.uint8)
    memory[:8].view(torch.int64).fill_(1)
    batch = memory[64:].view(4, 9)
    del memory
    taken.receive(batch)
    part = batch[1]
    del batch
    taken.free()
    assert taken.marks.tolist() == [[False, True]]
    del part
    taken.free()
    assert taken.marks.tolist() == [[False, False]]
    taken.marks[0, 1] = True  # the worker's next batch
    taken.free()
    assert taken.marks.tolist() == [[False, True]]


def test_room_in_no_worker():
    assert own_memory((2, 3)).shape == (2, 3)
    with pytest.raises(RuntimeError, match="for worker processes"):
        WorkerBuffers(Taken(workers=1).marks).empty((2, 3))
