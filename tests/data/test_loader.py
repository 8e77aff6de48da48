"""Which record is seen when: a pure function of the seed and the step, on any number of processes."""

from pathlib import Path

import pytest
import torch

from vidtok.data import buffers
from vidtok.data.dataset import VideoDataset
from vidtok.data.loader import (
    Collate,
    EvalBatches,
    TrainBatches,
    fitting_videos,
    make_loader,
    stack,
    steps_of_epochs,
    view_bytes,
)
from vidtok.data.views import ResizedCrop, TestViews, TrainViews
from vidtok.data.watch import WatchedLoader
from vidtok.types import Record, Sample
from vidtok.video.protocols import ClipRule


def stream(**options):
    batches = TrainBatches(**{"records": 10, "batch": 4, "steps": 12, "seed": 3, **options})
    return list(batches)


def test_epochs_lie_end_to_end():
    keys = [key for batch in stream() for key in batch]
    assert all(len(batch) == 4 for batch in stream())
    for epoch in range(4):
        assert sorted(record for record, e, _ in keys if e == epoch) == list(range(10))
    orders = [[record for record, e, _ in keys if e == epoch] for epoch in range(4)]
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
    assert [epoch for _, epoch, _ in batch] == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("world", [1, 2, 3, 11])
def test_evaluation_takes_every_record_once(world):
    parts = [list(EvalBatches(records=10, batch=3, rank=rank, world=world)) for rank in range(world)]
    seen = [record for part in parts for batch in part for record, _, _ in batch]
    assert sorted(seen) == list(range(10))
    assert [len(EvalBatches(records=10, batch=3, rank=r, world=world)) for r in range(world)] == [len(p) for p in parts]


def test_a_batch_of_clips_is_a_smaller_one_of_videos():
    assert [len(batch) for batch in stream(repeats=2)] == [2] * 12
    assert [key for batch in stream(repeats=2) for key in batch] == [key for batch in stream(steps=6) for key in batch]
    with pytest.raises(ValueError, match="4 clips cannot hold 3"):
        stream(repeats=3)


SIZES = {"size": 32, "sizes": (16, 32, 40, 64, 128)}


def test_sizes_change_from_step_to_step_and_the_batch_with_them():
    batches = stream(batch=8, steps=300, **SIZES)
    drawn = []
    for batch in batches:
        (size,) = {size for _, _, size in batch}
        drawn.append(size)
        assert len(batch) == {16: 32, 32: 8, 40: 5, 64: 2, 128: 1}[size]  # 8 (32 / size)^2, one at least
    counts = [drawn.count(size) for size in SIZES["sizes"]]
    assert min(counts) > 35  # each in a fifth of the steps
    keys = [key[:2] for batch in batches for key in batch]
    plain = [key[:2] for batch in stream(batch=1, steps=len(keys)) for key in batch]
    assert keys == plain  # no record is left out or seen twice


def test_sizes_follow_from_seed_and_step_alone():
    whole = stream(batch=8, steps=20, **SIZES)
    for first in (1, 7, 19):
        assert stream(batch=8, steps=20, first_step=first, **SIZES) == whole[first:]
    assert stream(batch=8, steps=50, **SIZES)[:20] == whole
    assert stream(batch=8, steps=20, seed=4, **SIZES) != whole
    parts = [stream(batch=8, steps=20, rank=rank, world=3, **SIZES) for rank in range(3)]
    for step, keys in enumerate(whole):
        assert sorted(key for part in parts for key in part[step]) == sorted(keys)


def test_sizes_with_repeats_count_whole_videos():
    for batch in stream(batch=8, steps=40, repeats=4, **SIZES):
        assert len(batch) == {16: 8, 32: 2, 40: 1, 64: 1, 128: 1}[batch[0][2]]  # 2 (32 / size)^2, one at least


def test_sizes_need_the_size_that_the_batch_is_meant_for():
    with pytest.raises(ValueError, match="need the size"):
        stream(sizes=(16, 32))


def test_clips_keep_their_order_in_memory_where_they_agree():
    rng = torch.Generator().manual_seed(0)
    packed = [torch.randint(256, (1, 2, 5, 6, 3), dtype=torch.uint8, generator=rng).movedim(-1, -3) for _ in range(3)]
    assert torch.equal(stack(packed), torch.stack(packed))
    assert stack(packed).movedim(-3, -1).is_contiguous()
    mixed = [packed[0], packed[1].contiguous()]
    assert torch.equal(stack(mixed), torch.stack(mixed))
    assert stack(mixed).is_contiguous()


LABELS = [0] * 13 + [1] * 5 + [7] * 2


def balanced(**options):
    return TrainBatches(**{"records": 20, "batch": 4, "steps": 50, "seed": 3, "labels": LABELS, **options})


def test_balanced_epochs_show_every_class_equally_often_and_no_clip_twice():
    keys = [key for batch in balanced() for key in batch]
    assert len(set(keys)) == len(keys) == 200  # a video that comes again comes with another number, so as other clips
    for epoch in range(10):
        own = [LABELS[record] for record, _, _ in keys[20 * epoch : 20 * epoch + 20]]
        assert sorted(own.count(label) for label in (0, 1, 7)) == [6, 7, 7]
        assert own != sorted(own)
    seen = [record for record, _, _ in keys]
    assert set(seen) == set(range(20))  # the large class takes turns
    for record in (13, 17):  # of the class with 5
        assert 8 <= seen.count(record) <= 20
    counts = [[LABELS[record] for record in seen].count(label) for label in (0, 1, 7)]
    assert max(counts) - min(counts) <= 10


def test_balanced_batches_follow_from_seed_and_step_alone():
    whole = list(balanced())
    assert list(balanced(first_step=17)) == whole[17:]
    assert list(balanced(seed=4)) != whole
    parts = [list(balanced(rank=rank, world=3)) for rank in range(3)]
    for step, keys in enumerate(whole):
        assert sorted(key for part in parts for key in part[step]) == sorted(keys)
    with pytest.raises(ValueError, match="20 records need as many labels, not 3"):
        balanced(labels=[0, 1, 2])


@pytest.mark.parametrize(
    ("epochs", "options", "steps"),
    [
        (1, {}, 3),  # of 10 records in batches of 4
        (2, {}, 5),
        (0.4, {}, 1),
        (0.01, {}, 1),
        (3, {"batch": 10}, 3),
        (3, {"batch": 7, "records": 7}, 3),
        (1, {"repeats": 2}, 5),
        (0.3, {"records": 10, "batch": 1}, 3),
    ],
)
def test_epochs_are_steps(epochs, options, steps):
    settings = {"records": 10, "batch": 4, "seed": 3, **options}
    assert steps_of_epochs(epochs, **settings) == steps
    keys = [key for batch in TrainBatches(**settings, steps=steps) for key in batch]
    assert len(keys) >= epochs * settings["records"] - 1e-9
    assert steps == 1 or len(keys) - settings["batch"] // settings.get("repeats", 1) < epochs * settings["records"]


def test_epochs_of_changing_sizes_are_counted_by_what_comes():
    settings = {"records": 10, "batch": 8, "seed": 3, **SIZES}
    steps = steps_of_epochs(20, **settings)
    seen = [len(batch) for batch in TrainBatches(**settings, steps=steps)]
    assert sum(seen[:-1]) < 200 <= sum(seen)


def test_the_first_pass_ends_with_the_last_new_record():
    for options in ({}, {"batch": 3}, {"batch": 10}, {"batch": 64}, {"repeats": 2}, {"batch": 8, "steps": 90, **SIZES}):
        batches = TrainBatches(**{"records": 10, "batch": 4, "steps": 30, "seed": 3, **options})
        seen = [len({key[0] for step in range(steps) for key in batches.keys(step)}) for steps in range(9)]
        assert seen[batches.first_pass] == 10 > seen[batches.first_pass - 1]
    assert TrainBatches(records=10, batch=4, steps=2, seed=3).first_pass > 2


def test_shares_are_the_largest_of_each_size():
    for options in ({}, {"world": 3, "rank": 2}, {"repeats": 2, "world": 2}, {"batch": 8, "steps": 90, **SIZES}):
        batches = TrainBatches(**{"records": 10, "batch": 4, "steps": 30, "seed": 3, **options})
        sizes = {size for _, _, size in batches.shares}
        assert sizes == {key[2] for step in range(batches.steps) for key in batches.keys(step)}
        world, repeats = batches.world, batches.repeats
        for most, least, size in batches.shares:
            of_size = [keys for step in range(batches.steps) if (keys := batches.keys(step))[0][2] == size]
            counts = [len(keys[rank::world]) * repeats for keys in of_size for rank in range(world)]
            assert (most, least) == (max(counts), min(counts))
    assert EvalBatches(records=10, batch=3).shares == {(3, 1, None)}
    assert EvalBatches(records=9, batch=3).shares == {(3, 3, None)}
    assert EvalBatches(records=10, batch=30, rank=1, world=4).shares == {(3, 3, None)}
    assert EvalBatches(records=2, batch=3, rank=2, world=3).shares == {(0, 0, None)}


MIB = 2**20


def test_a_testing_batch_is_bounded_by_bytes():
    for wanted, mib, videos in ((8, 1, 8), (8, 18, 1), (8, 10, 3), (2, 10, 2), (8, 500, 1), (1, 1, 1)):
        assert fitting_videos(wanted, video_bytes=mib * MIB) == videos


@pytest.mark.parametrize(
    ("clips", "crops", "frames", "size", "batch", "workers", "ahead"),
    [
        (10, 3, 16, 112, 1, 8, 2),  # 17 MiB a video
        (4, 3, 32, 224, 1, 6, 1),  # 55 MiB
        (10, 3, 64, 320, 1, 1, 1),  # 562 MiB
        (1, 1, 8, 32, 8, 8, 2),
        (1, 1, 32, (224, 448), 3, 8, 2),
    ],
)
def test_what_workers_hold_together_is_bounded(monkeypatch, clips, crops, frames, size, batch, workers, ahead):
    monkeypatch.setattr(buffers, "shared_room", lambda: None)  # whatever this machine has
    shorter = size if isinstance(size, int) else min(size)
    rule = ClipRule(frames=frames, stride=1)
    views = TestViews(clip=rule, size=size, short_side=shorter, clips=clips, crops=crops)
    videos = fitting_videos(8, video_bytes=view_bytes(views) * views.count)
    assert videos == batch
    records = [Record(path=Path("a.mp4"), labels=(0,), video_id="a")]
    batches = EvalBatches(records=1, batch=videos)
    loader = make_loader(VideoDataset(records, views=views), batches, workers=8)
    assert isinstance(loader, WatchedLoader)
    (used,) = {len(loader._notes)}
    given = loader._make_loader.keywords
    assert (used, given["num_workers"], given["prefetch_factor"]) == (workers, workers, ahead)
    held = used * (ahead + 2) * videos * view_bytes(views) * views.count
    assert held <= 1024 * MIB or used == 1


def test_training_keeps_its_workers(monkeypatch):
    monkeypatch.setattr(buffers, "shared_room", lambda: None)
    views = TrainViews(
        clip=ClipRule(frames=64, stride=1), size=320, crop=ResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0)), flip=False
    )
    records = [Record(path=Path("a.mp4"), labels=(0,), video_id="a")]
    batches = TrainBatches(records=1, batch=64, steps=1, seed=0)
    loader = make_loader(VideoDataset(records, views=views), batches, workers=8)
    assert isinstance(loader, WatchedLoader)
    assert len(loader._notes) == 8


def test_videos_of_fewer_views_are_filled_with_zeros():
    def sample(index, views):
        pixels = torch.full((views, 2, 3, 4, 5), 7, dtype=torch.uint8)
        return Sample(index=index, views=pixels, labels=((index,),) * views, video_id=f"v{index}")

    collate = Collate(empty=(3, 2, 3, 4, 5), by_video=True)
    batch = collate([sample(0, 2), sample(1, 3)])
    assert batch.views.shape == (2, 3, 2, 3, 4, 5)
    assert batch.counts == (2, 3)
    assert int(batch.views[0, 2].max()) == 0
    assert int(batch.views[1].min()) == int(batch.views[0, 1].min()) == 7
    assert collate([sample(0, 3), sample(1, 3)]).counts == ()
