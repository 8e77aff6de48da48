"""The embedded data set: real videos in which movement is visible and a single picture says nothing."""

import math

import av
import numpy as np
import pytest
import torch

from vidtok.data.dataset import VideoDataset
from vidtok.data.lists import check_files, check_labels, read_classes, read_list
from vidtok.data.motion import motion_clip, render_motion
from vidtok.data.motion_render import MOTIONS
from vidtok.data.views import TestViews
from vidtok.types import Sample
from vidtok.video.protocols import ClipRule
from vidtok.video.reader import open_video

SIZE = (80, 96)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motion")
    render_motion(folder, clips_train=16, clips_val=8, seed=5)
    return folder


def test_lists_name_every_video(folder):
    classes = read_classes(folder / "classes.txt")
    assert classes == MOTIONS
    for name, clips in (("train", 16), ("val", 8)):
        records = read_list(folder / f"{name}.csv")
        check_files(records)
        check_labels(records, classes)
        assert [record.labels[0] for record in records] == [index % 8 for index in range(clips)]
        assert sorted(record.path for record in records) == sorted((folder / name).iterdir())


def test_videos_are_h264_and_show_what_was_rendered(folder):
    for index in (0, 4, 6):
        path = folder / "val" / f"{index:05d}.mp4"
        with av.open(str(path)) as container:
            codec = container.streams.video[0].codec_context
            assert (codec.name, codec.pix_fmt, codec.height, codec.width) == ("h264", "yuv420p", *SIZE)
        with open_video(path) as reader:
            assert len(reader) == 12
            assert reader.fps == 12
            decoded = reader.frames_at(range(12)).pixels
        rendered = motion_clip(index, split=1, seed=5, frames=12, size=SIZE)
        luma = torch.tensor([0.2126, 0.7152, 0.0722])
        error = torch.einsum("fcyx,c->fyx", decoded.float() - rendered.float(), luma)
        assert error.square().mean(dim=(1, 2)).sqrt().max() < 6  # grey levels; colour is halved in resolution


def test_the_seed_makes_the_pictures():
    def clip(**other):
        return motion_clip(**{"index": 3, "split": 0, "seed": 1, "frames": 4, "size": SIZE, **other})

    assert torch.equal(clip(), clip())
    assert clip().float().std() > 25
    for other in ({"index": 11}, {"split": 1}, {"seed": 2}):
        assert (clip().float() - clip(**other).float()).abs().mean() > 20


def test_rendering_again_gives_the_same_files(folder, tmp_path):
    render_motion(tmp_path, clips_train=2, clips_val=1, seed=5)
    for name in ("train/00000.mp4", "train/00001.mp4", "val/00000.mp4"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_four_by_three_views_are_twelve_different_ones(folder):
    views = TestViews(clip=ClipRule(frames=8, stride=1), size=64, short_side=64, clips=4, crops=3)
    records = read_list(folder / "val.csv")
    dataset = VideoDataset(records, views=views)
    for record in range(len(records)):
        sample = dataset.sample(record=record, epoch=0)
        assert isinstance(sample, Sample)
        assert sample.views.shape == (12, 8, 3, 64, 64)
        for one in range(12):
            for other in range(one):
                assert (sample.views[one].float() - sample.views[other].float()).abs().mean() > 1


@pytest.mark.parametrize("wrong", [{"clips_train": 0}, {"frames": 0}, {"size": (79, 96)}])
def test_sizes_that_cannot_work(tmp_path, wrong):
    with pytest.raises(ValueError, match="even"):
        render_motion(tmp_path / "motion", **wrong)
    assert not (tmp_path / "motion").exists()


# ---- what a linear classifier can and cannot tell ----


def decoded_clips(folder):
    """Grey pictures `n f y x` and labels of a folder's two lists, through the codec."""
    clips, labels = [], []
    for name in ("train", "val"):
        for record in read_list(folder / f"{name}.csv"):
            with open_video(record.path) as reader:
                clips.append(reader.frames_at(range(len(reader))).pixels.float().mean(dim=1))
            labels.append(record.labels[0])
    return torch.stack(clips), torch.tensor(labels)


def pooled(maps):
    """Means over a 4x4 grid of the picture, as features."""
    return torch.nn.functional.adaptive_avg_pool2d(maps, 4).flatten(1)


def still_features(frame):
    """What a linear classifier may see of one picture: pixels, and the strength and direction of edges by place."""
    y, x = torch.gradient(frame, dim=(1, 2))
    edges = torch.stack([x * x, y * y, x * y, (x * x + y * y).sqrt(), frame, (frame - 127) ** 2], dim=1)
    return torch.cat([pooled(edges), torch.nn.functional.adaptive_avg_pool2d(frame[:, None], 8).flatten(1)], dim=1)


def moving_features(clips):
    """Change in time along the gradient in space, over several frames: where to each part of the picture moves."""
    y, x = torch.gradient(clips, dim=(2, 3))
    (t,) = torch.gradient(clips, dim=1)
    flow = torch.stack([(x * t).mean(dim=1), (y * t).mean(dim=1)], dim=1)
    return pooled(flow / (x * x + y * y).mean(dim=(1, 2, 3))[:, None, None, None])


def ridge_accuracy(features, labels, *, train):
    """Share of right answers of ridge regression on one-hot labels, on the clips after the first `train`."""
    features = ((features - features[:train].mean(0)) / features[:train].std(0)).double()
    features = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    x, targets = features[:train], torch.nn.functional.one_hot(labels[:train], 8).double()
    weights = torch.linalg.solve(x.T @ x + 0.3 * train * torch.eye(x.shape[1]).double(), x.T @ targets)
    return ((features[train:] @ weights).argmax(dim=1) == labels[train:]).double().mean().item()


@pytest.mark.slow
def test_one_picture_says_nothing_and_its_neighbours_everything(tmp_path):
    render_motion(tmp_path, clips_train=200, clips_val=120, frames=8, seed=7)
    clips, labels = decoded_clips(tmp_path)
    chance, deviation = 1 / 8, math.sqrt(1 / 8 * 7 / 8 / 120)
    for place in (0, 4, 7):
        assert ridge_accuracy(still_features(clips[:, place]), labels, train=200) < chance + 3 * deviation
    assert ridge_accuracy(moving_features(clips), labels, train=200) > 0.8
    shuffled = torch.stack([clip[np.random.default_rng(n).permutation(8)] for n, clip in enumerate(clips)])
    assert ridge_accuracy(moving_features(shuffled), labels, train=200) < 0.55
