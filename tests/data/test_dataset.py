"""Samples as pure functions of (seed, record, epoch), from one decode, with failures named."""

import numpy as np
import pytest
import torch

from vidtok.data.dataset import ClipRule, TestViews, TrainViews, VideoDataset
from vidtok.data.lists import read_list
from vidtok.data.loader import EvalBatches, TrainBatches, make_loader
from vidtok.errors import DecodeError
from vidtok.types import Failure
from vidtok.video.pyav import PyAVReader
from vidtok.video.write import write_video

FRAMES = 30
CLIP = ClipRule(frames=4, stride=3)
TRAIN = TrainViews(clip=CLIP, size=32, scale=(0.5, 1.0), ratio=(0.8, 1.25), flip=True)


def views(**options):
    return TestViews(**{"clip": CLIP, "size": 32, "short_side": 40, "clips": 4, "crops": 3, **options})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three readable videos whose brightness is 8 times the frame number, and one broken file."""
    folder = tmp_path_factory.mktemp("videos")
    for name in range(3):
        column = torch.linspace(-3, 3, 64).view(1, 1, 1, 64)
        grey = torch.arange(FRAMES).view(-1, 1, 1, 1) * 8.0 + 8 + column
        write_video(folder / f"{name}.mp4", grey.expand(FRAMES, 3, 48, 64).to(torch.uint8), fps=25.0)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    (folder / "list.csv").write_text("0.mp4 0\n1.mp4 1\nbroken.mp4 2\n2.mp4 2\n")
    return folder


def dataset(folder, **options):
    return VideoDataset(read_list(folder / "list.csv"), **{"views": TRAIN, "seed": 5, **options})


def frame_numbers(view):
    return ((view.float().mean((-3, -2, -1)) - 8) / 8).round().long().tolist()


def test_a_sample_can_be_made_again(folder):
    one, other = dataset(folder), dataset(folder)
    first = one.sample(record=1, epoch=3)
    assert torch.equal(first.views, other.sample(record=1, epoch=3).views)
    assert first.views.shape == (1, 4, 3, 32, 32)
    differing = [one.sample(record=1, epoch=e).views for e in range(6)]
    assert any(not torch.equal(differing[0], d) for d in differing[1:])
    assert not torch.equal(first.views, dataset(folder, seed=6).sample(record=1, epoch=3).views)


def test_training_clips_have_their_stride_and_all_starts(folder):
    data = dataset(folder)
    starts = set()
    for epoch in range(60):
        numbers = frame_numbers(data.sample(record=0, epoch=epoch).views[0])
        assert np.diff(numbers).tolist() == [3, 3, 3]
        starts.add(numbers[0])
    assert min(starts) <= 2
    assert max(starts) >= 18
    assert max(starts) <= FRAMES - 10


def test_views_go_clip_by_clip_from_the_first_to_the_last_start(folder):
    sample = dataset(folder, views=views()).sample(record=0)
    assert sample.views.shape == (12, 4, 3, 32, 32)
    assert [frame_numbers(view)[0] for view in sample.views[::3]] == [0, 6, 13, 20]
    for clip in sample.views.view(4, 3, *sample.views.shape[1:]):
        left, centre, right = (crop.float().mean((0, 1, 2)) for crop in clip)
        assert left.mean() < centre.mean() < right.mean()  # the column ramp


def test_one_view_of_all(folder):
    data = dataset(folder, views=views())
    whole = data.sample(record=3)
    assert torch.equal(data.sample(record=3, view=7).views[0], whole.views[7])
    assert views().single == 4
    assert views(clips=1, crops=1).single == 0


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("none", [10, 13, 16, 19]),
        ("reverse", [19, 16, 13, 10]),
        ("repeat_first", [10] * 4),
        ("repeat_middle", [16] * 4),
        ("repeat_last", [19] * 4),
    ],
)
def test_controls_spoil_the_order(folder, control, expected):
    data = dataset(folder, views=views(clips=1, crops=1, control=control))
    assert frame_numbers(data.sample(record=0).views[0]) == expected


def test_shuffling_has_an_order_of_its_own_for_each_record(folder):
    data = dataset(folder, views=views(clip=ClipRule(frames=8, stride=2), clips=1, crops=1, control="shuffle"))
    orders = [frame_numbers(data.sample(record=record).views[0]) for record in (0, 1, 3)]
    assert len({tuple(order) for order in orders}) == 3
    assert all(sorted(order) == sorted(orders[0]) for order in orders)


def test_a_target_rate_picks_frames_by_time(folder):
    rule = ClipRule(frames=4, stride=1, target_fps=12.5)
    data = dataset(folder, views=views(clip=rule, clips=1, crops=1))
    assert np.diff(frame_numbers(data.sample(record=0).views[0])).tolist() == [2, 2, 2]


def test_short_videos_loop_or_repeat(folder):
    for short, last in (("loop", [0, 10, 20, 0]), ("repeat", [0, 10, 20, 29])):
        rule = ClipRule(frames=4, stride=10, short=short)
        data = dataset(folder, views=views(clip=rule, clips=1, crops=1))
        assert frame_numbers(data.sample(record=0).views[0]) == last


def test_a_video_is_decoded_once_and_only_what_is_wanted(folder, monkeypatch):
    asked = []
    decode = PyAVReader.frames_at

    def counting(self, indices, *, short_side=None):
        asked.append(list(indices))
        return decode(self, indices, short_side=short_side)

    monkeypatch.setattr(PyAVReader, "frames_at", counting)
    sample = dataset(folder, views=views()).sample(record=0)
    asked = [indices for indices in asked if indices != [0]]  # the type check of the reader looks at its `size`
    assert len(asked) == 1
    seen = sorted({number for view in sample.views for number in frame_numbers(view)})
    assert asked[0] == seen


def test_a_broken_video_is_a_failure_that_names_it(folder):
    data = dataset(folder)
    failure = data[(2, 0)]
    assert isinstance(failure, Failure)
    assert failure.path.name == "broken.mp4"
    assert "broken.mp4" in failure.cause
    with pytest.raises(DecodeError, match=r"broken.mp4"):
        data.sample(record=2)


def test_batches_do_not_depend_on_the_workers(folder):
    def batches(workers):
        keys = TrainBatches(records=4, batch=3, steps=4, seed=5)
        return list(make_loader(dataset(folder), keys, workers=workers))

    alone, helped = batches(0), batches(2)
    assert sum(len(batch.failures) for batch in alone) == 3
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.views, other.views)
        assert (one.indices, one.labels, one.failures) == (other.indices, other.labels, other.failures)
        assert len(one) + len(one.failures) == 3


def test_a_batch_of_failures_is_empty(folder):
    (folder / "bad.csv").write_text("broken.mp4 0\n")
    data = VideoDataset(read_list(folder / "bad.csv"), views=TRAIN, seed=0)
    (batch,) = make_loader(data, EvalBatches(records=1, batch=2), workers=0)
    assert batch.views.shape == (0, 1, 4, 3, 32, 32)
    assert len(batch.failures) == 1


def test_a_crop_larger_than_the_short_side_is_refused():
    with pytest.raises(ValueError, match="short_side 24 is smaller"):
        views(short_side=24)
