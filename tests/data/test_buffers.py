"""Memory that goes round between workers and training: used again, and never under a batch that is still there."""

import re
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch.utils.data import DataLoader

from vidtok.data import buffers
from vidtok.data.buffers import (
    FRESH,
    MakeRoom,
    Taken,
    WorkerBuffers,
    fitting_workers,
    megabytes,
    own_memory,
    too_small,
)

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


DOCKER = 64 * 2**20


@pytest.mark.parametrize(
    ("wanted", "batch", "sharing", "fitting"),
    [
        (8, 2**20, 1, 8),  # 8 x 3 MB
        (8, 4 * 2**20, 1, 5),  # 96 MB of 64
        (8, 4 * 2**20, 2, 2),
        (2, 40 * 2**20, 1, 0),
        (0, 40 * 2**20, 1, 0),
    ],
)
def test_there_are_as_many_workers_as_shared_memory_has_room_for(monkeypatch, wanted, batch, sharing, fitting):
    monkeypatch.setattr(buffers, "shared_room", lambda: DOCKER)
    workers, text = fitting_workers(wanted, batch_bytes=batch, sharing=sharing)
    assert workers == fitting
    assert bool(text) == (workers < wanted)
    if text:
        needed = wanted * sharing * 3 * batch / 2**20
        assert f"has 64 MB left, and {wanted * sharing} workers need {needed:.3g} MB" in text
        assert "Docker gives 64 MB" in text
        assert "`workers`=0" in text
        enough = int(re.search(r"--shm-size=(\d+)m", text)[1]) * 2**20
        monkeypatch.setattr(buffers, "shared_room", lambda: enough)
        assert fitting_workers(wanted, batch_bytes=batch, sharing=sharing) == (wanted, "")


def test_a_system_without_that_limit_has_room_for_all(monkeypatch, tmp_path):
    monkeypatch.setattr(buffers, "SHARED", tmp_path / "none")
    assert fitting_workers(64, batch_bytes=2**40) == (64, "")
    monkeypatch.setattr(buffers, "SHARED", tmp_path)
    assert fitting_workers(1, batch_bytes=0) == (1, "")
    assert fitting_workers(1, batch_bytes=2**60)[0] == 0


def test_bytes_in_words_and_what_too_small_a_memory_needs(monkeypatch):
    assert [megabytes(count) for count in (2**19, 3 * 2**20, 2500 * 2**20, 999 * 2**20)] == [
        "0.5 MB", "3 MB", "2500 MB", "999 MB"
    ]  # fmt: skip
    monkeypatch.setattr(buffers, "shared_room", lambda: 8 * 2**20)
    said = too_small(4 * 2**20, workers=3)
    needed = 3 * buffers.HELD * (buffers.HEAD + 4 * 2**20)
    assert "has 8 MB left, and 3 workers need" in said
    size = int(re.search(r"--shm-size=(\d+)m", said)[1]) * 2**20
    assert 1.25 * needed <= size <= 1.25 * needed + 2**21
    assert f"{buffers.HELD} batches of 4 MB each" in said
