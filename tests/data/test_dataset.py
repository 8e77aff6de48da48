"""Samples as pure functions of (seed, record, epoch), from one decode, with failures named."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.video.clips import make_clip, make_late_clip, read_numbers
from tests.video.test_conformance import missing
from vidtok.data import dataset as dataset_module
from vidtok.data.augment import Augment
from vidtok.data.dataset import VideoDataset, clock_seconds, open_record, part, plan, shown_labels
from vidtok.data.lists import read_list
from vidtok.data.loader import EvalBatches, TrainBatches, make_loader
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews
from vidtok.errors import DecodeError
from vidtok.types import Failure, Record, View
from vidtok.video import reader
from vidtok.video.prepare import prepare_video
from vidtok.video.protocols import ClipRule
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import BACKENDS
from vidtok.video.write import write_video

FRAMES = 30
CLIP = ClipRule(frames=4, stride=3)
CROP = ResizedCrop(scale=(0.5, 1.0), ratio=(0.8, 1.25))
AUGMENT = Augment(color_jitter_prob=0.8, grey_prob=0.3, erase_prob=0.5)
TRAIN = TrainViews(clip=CLIP, size=32, crop=CROP, flip=True)
MANY = replace(TRAIN, repeats=3, augment=AUGMENT)


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
    decode = PyAVReader.each_at

    def counting(self, indices, *, short_side=None):
        asked.append(sorted(indices))
        return decode(self, indices, short_side=short_side)

    monkeypatch.setattr(PyAVReader, "each_at", counting)
    sample = dataset(folder, views=views()).sample(record=0)
    assert len(asked) == 1
    seen = sorted({number for view in sample.views for number in frame_numbers(view)})
    assert asked[0] == seen


def test_a_broken_video_is_a_failure_that_names_it(folder):
    data = dataset(folder)
    failure = data[(2, 0, None)]
    assert isinstance(failure, Failure)
    assert failure.path.name == "broken.mp4"
    assert "broken.mp4" in failure.cause
    with pytest.raises(DecodeError, match=r"broken.mp4"):
        data.sample(record=2)


def batches(folder, views, *, workers=0, batch=3, steps=4, **options):
    keys = TrainBatches(records=4, batch=batch, steps=steps, seed=5, repeats=views.repeats, **options)
    return list(make_loader(dataset(folder, views=views), keys, workers=workers))


def assert_same(batches, others):
    for one, other in zip(batches, others, strict=True):
        assert torch.equal(one.views, other.views)
        assert (one.indices, one.labels, one.failures) == (other.indices, other.labels, other.failures)


def test_batches_do_not_depend_on_the_workers(folder):
    alone = batches(folder, TRAIN)
    assert sum(len(batch.failures) for batch in alone) == 3
    assert all(len(batch) + len(batch.failures) == 3 for batch in alone)
    assert_same(alone, batches(folder, TRAIN, workers=2))


KINDS = {
    "repeats and augmentation": (MANY, {}),
    "sizes": (replace(MANY, repeats=1), {"size": 32, "sizes": (16, 24, 48)}),
    "repeats and sizes": (MANY, {"size": 32, "sizes": (16, 24, 48)}),
    "cut before colour": (replace(MANY, crop_in="yuv"), {}),
    "jittered": (replace(MANY, crop=JitteredCrop(short_side=(32, 48), independent=True)), {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_depend_on_neither_workers_nor_resuming(folder, kind):
    views, options = KINDS[kind]
    whole = batches(folder, views, batch=6, steps=4, **options)
    assert any(len(batch) for batch in whole)
    assert_same(whole, batches(folder, views, workers=2, batch=6, steps=4, **options))
    assert_same(whole[3:], batches(folder, views, workers=1, batch=6, steps=4, first_step=3, **options))
    ranks = [batches(folder, views, batch=6, steps=4, rank=rank, world=2, **options) for rank in range(2)]
    for step, batch in enumerate(whole):
        seen = sorted(index for part in ranks for index in part[step].indices)
        assert seen == sorted(batch.indices)


@pytest.mark.parametrize("kind", KINDS)
def test_epochs_differ_and_samples_can_be_made_again(folder, kind):
    views, options = KINDS[kind]
    size = options.get("sizes", (None,))[0]
    one, again = dataset(folder, views=views), dataset(folder, views=views)
    clips = [one[(1, epoch, size)].views for epoch in range(5)]
    assert all(not torch.equal(clips[0], clip) for clip in clips[1:])
    for view in range(views.count):
        sample = again.sample(record=1, epoch=3, view=view, size=size)
        assert torch.equal(sample.views, clips[3][view : view + 1])
        assert len(sample.labels) == 1


def test_several_clips_of_one_video_come_from_one_decode_and_differ(folder, monkeypatch):
    asked = []
    decode = PyAVReader.frames_at
    monkeypatch.setattr(
        PyAVReader, "frames_at", lambda self, i, **options: (asked.append(list(i)), decode(self, i, **options))[1]
    )
    sample = dataset(folder, views=replace(TRAIN, repeats=3)).sample(record=0, epoch=1)
    assert sample.views.shape == (3, 4, 3, 32, 32)
    assert sample.labels == ((0,),) * 3
    numbers = [frame_numbers(view) for view in sample.views]
    assert asked == [sorted({number for clip in numbers for number in clip})]
    assert len({tuple(clip) for clip in numbers}) > 1


def test_a_first_clip_is_the_same_however_many_follow(folder):
    """Its box is drawn after all the starts, so that only the frames are the same."""
    one = dataset(folder).sample(record=0, epoch=2).views[0]
    first = dataset(folder, views=replace(TRAIN, repeats=2)).sample(record=0, epoch=2).views[0]
    assert frame_numbers(one) == frame_numbers(first)


def test_training_batches_have_a_row_for_each_clip(folder):
    (batch,) = batches(folder, replace(TRAIN, repeats=2), batch=8, steps=1)
    assert batch.views.shape == (6, 1, 4, 3, 32, 32)
    assert len(batch.failures) == 1
    assert all(batch.indices[i] == batch.indices[i + 1] for i in (0, 2, 4))
    assert batch.labels == tuple((min(index, 2),) for index in batch.indices)


def test_a_step_has_its_size(folder):
    data = dataset(folder)
    whole, small = data.sample(record=0, epoch=1), data.sample(record=0, epoch=1, size=16)
    assert small.views.shape == (1, 4, 3, 16, 16)
    # The same frames and the same box, scaled to another size.
    assert frame_numbers(whole.views[0]) == frame_numbers(small.views[0])
    halved = torch.nn.functional.avg_pool2d(whole.views[0].float(), 2)
    assert (halved - small.views[0].float()).abs().mean() < 1.5
    with pytest.raises(ValueError, match="32 pixels, got size 16"):
        dataset(folder, views=views()).sample(record=0, size=16)


def test_cutting_before_colour_takes_the_same_frames_and_boxes(folder):
    for epoch in range(6):
        rgb, yuv = (
            dataset(folder, views=replace(TRAIN, repeats=2, crop_in=way)).sample(record=0, epoch=epoch).views
            for way in ("rgb", "yuv")
        )
        assert (rgb.float() - yuv.float()).abs().mean() < 2
        assert [frame_numbers(view) for view in rgb] == [frame_numbers(view) for view in yuv]


def test_jittered_crops_show_less_than_the_whole(folder):
    jittered = replace(TRAIN, crop=JitteredCrop(short_side=(48, 64), independent=False), flip=False)
    resized = replace(TRAIN, crop=ResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0)), flip=False)

    def spread(views, epoch):  # the brightness rises from left to right
        return float(dataset(folder, views=views).sample(record=0, epoch=epoch).views.float().std(-1).mean())

    assert max(spread(jittered, epoch) for epoch in range(4)) < spread(resized, 0)


PTS = torch.arange(FRAMES, dtype=torch.float64) / 25


def record(**options):
    return Record(**{"path": Path("a.mp4"), "video_id": "a", "labels": (3,), **options})


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        (None, None, (0, 30)),
        (0.4, None, (10, 30)),
        (None, 0.4, (0, 10)),
        (0.41, 0.79, (11, 20)),
        (0.4001, 0.8, (10, 20)),
    ],
)
def test_parts_of_videos(start, end, frames):
    row = record(start_seconds=start, end_seconds=end)
    assert part(row, PTS) == frames


CLOCKS = {"from 0": ("mp4", 0), "from 0, no frame count": ("mkv", 0), "from 1.4": ("ts", Fraction(7, 5))}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("backend", ["pyav", "decord", "torchcodec"])
def test_times_of_a_record_count_by_the_clock_of_the_file(tmp_path, backend, clock):
    """The sound begins with the clock, the pictures 2 s later: 3 to 4 s are the pictures from the second second on."""
    suffix, begin = CLOCKS[clock]
    if (why := missing(backend)) is not None:
        pytest.skip(why)
    if suffix == "ts" and backend != "pyav":
        pytest.skip("it does not read transport streams with all of their frames")
    path = make_late_clip(tmp_path / f"late.{suffix}", late=Fraction(2), begin=Fraction(begin))
    row = record(path=path, start_seconds=3.0, end_seconds=4.0, labels=(1, 2), intervals=((3.0, 3.5), (4.5, 5.0)))
    with open_record(row, backend=backend) as video:
        seconds = clock_seconds(video)
        assert part(row, seconds) == (25, 50)
        shown = seconds[25:50].tolist()
        planned = plan(views(clips=2, crops=1), row, seconds, np.random.default_rng(0))
        numbers = read_numbers(video.frames_at([25, 49]).pixels.numpy())
    assert numbers == [25, 49]
    assert shown == pytest.approx([3 + frame / 25 for frame in range(25)], abs=1e-3)
    assert [int(view.indices[0]) for view in planned] == [25, 40]
    assert shown_labels(row, seconds, View(clip=0, crop=0, indices=torch.tensor([25]))) == (1,)
    assert shown_labels(row, seconds, View(clip=0, crop=0, indices=torch.tensor([62, 74]))) == (2,)
    prepare_video(path, tmp_path / "made.mp4")
    with open_record(replace(row, path=tmp_path / "made.mp4"), backend="pyav") as video:
        torch.testing.assert_close(clock_seconds(video), seconds, atol=1e-3, rtol=0)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_clock_without_sound_begins_with_the_pictures(tmp_path, suffix):
    path = make_clip(tmp_path / f"far.{suffix}", ticks=range(300, 360), fps=Fraction(25))
    with open_record(record(path=path), backend="pyav") as video:
        assert clock_seconds(video).tolist() == pytest.approx([frame / 25 for frame in range(60)], abs=2e-3)


def test_the_lead_in_of_sound_does_not_move_the_clock(tmp_path):
    path = make_late_clip(tmp_path / "clip.mp4", late=Fraction(-1, 25), begin=Fraction(1, 25))
    with open_record(record(path=path), backend="pyav") as video:
        assert float(clock_seconds(video)[0]) == 0.0
    late = make_late_clip(tmp_path / "late.mp4", late=Fraction(1), begin=Fraction(1, 50))
    with open_record(record(path=late), backend="pyav") as video:
        assert float(clock_seconds(video)[0]) == pytest.approx(1.04, abs=0.021)
        assert video.start_seconds == 0.0


def test_the_time_limit_reaches_the_reader(tmp_path, monkeypatch):
    for name in ("pyav", "frames", "decord", "torchcodec"):
        opened = []

        def open_slowly(path, *, name=name, opened=opened, **options):
            opened.append(options)
            raise DecodeError(f"{path}: stop")

        monkeypatch.setitem(BACKENDS, name, open_slowly)
        monkeypatch.setattr(reader, "FramesReader", open_slowly)
        monkeypatch.setattr(dataset_module, "check_backend", lambda backend: None)
        data = VideoDataset([record()], views=TRAIN, backend=name, timeout_seconds=77.0)
        assert isinstance(data[(0, 0, None)], Failure)
        assert [options["timeout_seconds"] for options in opened] == [77.0]


def test_a_part_without_frames_is_named():
    with pytest.raises(DecodeError, match=r"a\.mp4: no frame is shown from 2 s to 3 s; its 30 frames .* 0 to 1\.160 s"):
        part(record(start_seconds=2.0, end_seconds=3.0), PTS)
    with pytest.raises(DecodeError, match="from 5 s to the end"):
        part(record(start_seconds=5.0), PTS)


def one_record(folder, *, views, **options):
    return VideoDataset([record(**{"path": folder / "0.mp4", **options})], views=views, seed=5)


def test_clips_lie_inside_of_their_part(folder):
    seen = set()
    for epoch in range(40):
        data = one_record(folder, views=TRAIN, start_seconds=0.4, end_seconds=0.96)
        seen.add(tuple(frame_numbers(data.sample(record=0, epoch=epoch).views[0])))
    assert {clip[0] for clip in seen} == set(range(10, 15))  # 14 frames, of which a clip spans 10
    data = one_record(folder, views=views(clips=2, crops=1), start_seconds=0.4, end_seconds=0.96)
    assert [frame_numbers(view) for view in data.sample(record=0).views] == [[10, 13, 16, 19], [14, 17, 20, 23]]
    short = one_record(folder, views=views(clips=1, crops=1), start_seconds=0.4, end_seconds=0.6)
    assert frame_numbers(short.sample(record=0).views[0]) == [10, 13, 11, 14]  # looped inside of the part
    gone = one_record(folder, views=TRAIN, start_seconds=9.0)
    assert isinstance(gone[(0, 0, None)], Failure)


def test_folders_of_pictures_have_the_rate_of_their_record(folder):
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(FRAMES):
        grey = np.full((48, 64, 3), 8 * number + 8, np.uint8)
        Image.fromarray(grey).save(pictures / f"{number}.png")
    data = one_record(folder, views=views(clips=1, crops=1), path=pictures, fps=10.0, start_seconds=1.0)
    assert frame_numbers(data.sample(record=0).views[0]) == [15, 18, 21, 24]  # the middle of frames 10 to 29
    yuv = one_record(folder, views=replace(TRAIN, crop_in="yuv"), path=pictures, fps=10.0)
    rgb = one_record(folder, views=TRAIN, path=pictures, fps=10.0)
    assert torch.equal(yuv.sample(record=0, epoch=1).views, rgb.sample(record=0, epoch=1).views)
    with pytest.raises(DecodeError, match=r"0\.mp4: the list gives it 10 frames per second, .* is a video"):
        one_record(folder, views=TRAIN, fps=10.0).sample(record=0)


def naive_labels(row, first, last, rate=25):
    """Over the frames from the first to the last, each shown for 1 / rate, those whose interval they overlap."""
    seen = set()
    for label, (start, stop) in zip(row.labels, row.intervals, strict=True):
        for frame in range(first, last + 1):
            if start < (frame + 1) / rate and stop > frame / rate:
                seen.add(label)
    return seen


def test_labels_of_a_clip_are_those_that_happen_during_it():
    row = record(labels=(7, 8, 9, 7), intervals=((0.0, 0.2), (0.4, 0.61), (1.0, 9.0), (0.8, 0.81)))
    for first, last in ((0, 9), (5, 14), (6, 9), (10, 10), (15, 29), (16, 19), (24, 29), (29, 29), (0, 29)):
        view = View(clip=0, crop=0, indices=torch.tensor([first, (first + last) // 2, last]))
        labels = shown_labels(row, PTS, view)
        assert set(labels) == naive_labels(row, first, last)
        assert len(labels) == len(set(labels))
    nothing = View(clip=0, crop=0, indices=torch.tensor([6, 7]))
    assert shown_labels(row, PTS, nothing) == ()
    assert shown_labels(record(), PTS, nothing) == (3,)


def test_the_last_frame_of_a_video_is_shown_for_a_while():
    row = record(intervals=((1.19, 2.0),))  # the last frame comes at 1.16 and is shown until 1.2
    assert shown_labels(row, PTS, View(clip=0, crop=0, indices=torch.tensor([29]))) == (3,)
    assert shown_labels(row, PTS, View(clip=0, crop=0, indices=torch.tensor([28]))) == ()


def test_training_sees_the_labels_of_the_clip_and_testing_those_of_the_video(folder):
    options = {"labels": (1, 2, 1), "intervals": ((0.0, 0.1), (0.5, 0.6), (1.1, 1.2))}
    data = one_record(folder, views=replace(TRAIN, repeats=2), **options)
    row = data.records[0]
    kinds = set()
    for epoch in range(30):
        sample = data.sample(record=0, epoch=epoch)
        for view, labels in zip(sample.views, sample.labels, strict=True):
            numbers = frame_numbers(view)
            assert set(labels) == naive_labels(row, numbers[0], numbers[-1])
            kinds.add(labels)
    assert {(1, 2), (2,), (2, 1)} & kinds
    assert len(kinds) > 1
    tested = one_record(folder, views=views(), **options)
    assert tested.sample(record=0).labels == ((1, 2),) * 12
    (batch,) = make_loader(tested, EvalBatches(records=1, batch=2), workers=0)
    assert batch.labels == ((1, 2),)


def test_a_batch_of_failures_is_empty(folder):
    (folder / "bad.csv").write_text("broken.mp4 0\n")
    data = VideoDataset(read_list(folder / "bad.csv"), views=TRAIN, seed=0)
    (batch,) = make_loader(data, EvalBatches(records=1, batch=2), workers=0)
    assert batch.views.shape == (0, 1, 4, 3, 32, 32)
    assert len(batch.failures) == 1
