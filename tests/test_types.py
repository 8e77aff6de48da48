"""The records refuse what cannot be."""

from pathlib import Path

import pytest
import torch

from vidtok.types import AttentionMap, Batch, Frames, Record, Sample, View


def test_record_refuses_negative_labels():
    with pytest.raises(ValueError, match="count from 0"):
        Record(path=Path("a.mp4"), labels=(0, -1), video_id="a")


def test_frames_need_one_time_each():
    pixels = torch.zeros(3, 3, 4, 5, dtype=torch.uint8)
    assert len(Frames(pixels=pixels, pts_seconds=torch.arange(3, dtype=torch.float64))) == 3
    with pytest.raises(Exception, match=r"(?i)times|type-check"):
        Frames(pixels=pixels, pts_seconds=torch.arange(2, dtype=torch.float64))


def test_view_refuses_negative_indices():
    with pytest.raises(ValueError, match="from 0 on"):
        View(clip=0, crop=0, indices=torch.tensor([3, -1]))


def test_samples_have_labels_for_each_view():
    views = torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8)
    assert Sample(index=0, views=views, labels=((0,), ()), video_id="a").labels[1] == ()
    with pytest.raises(ValueError, match="2 views, but labels for 1"):
        Sample(index=0, views=views, labels=((0, 1),), video_id="a")


def test_batch_columns_have_one_length():
    views = torch.zeros(2, 1, 1, 3, 4, 4, dtype=torch.uint8)
    Batch(views=views, labels=((0,), (1,)), indices=(0, 1), video_ids=("a", "b"))
    with pytest.raises(ValueError, match="differ in length"):
        Batch(views=views, labels=((0,),), indices=(0, 1), video_ids=("a", "b"))


def test_a_record_is_told_by_its_id_and_its_part_of_the_video():
    def key(**part):
        return Record(path=Path("x.mp4"), labels=(0,), video_id="v", **part).key

    parts = [{}, {"start_seconds": 1.5}, {"start_seconds": 1.5, "end_seconds": 3.0}, {"end_seconds": 3.0}]
    assert [key(**part) for part in parts] == ["v", "v 1.5- s", "v 1.5-3 s", "v 0-3 s"]


def test_maps_have_a_place_at_least():
    words = {"place": "a", "query": "b", "meaning": "c"}
    for shape in ((1, 2, 3, 4), (1, 2, 5, 3, 4), (0, 1, 1, 1)):
        AttentionMap(**words, maps=torch.zeros(shape))
    for shape in ((1, 0, 3, 4), (1, 2, 3, 0)):
        with pytest.raises(ValueError, match="with one place at least, got"):
            AttentionMap(**words, maps=torch.zeros(shape))


def test_counts_of_views_have_the_batch_s_length():
    known = {"labels": ((0,), (1,)), "indices": (0, 1), "video_ids": ("a", "b")}
    views = torch.zeros(2, 1, 1, 3, 2, 2, dtype=torch.uint8)
    assert len(Batch(views=views, **known, counts=(1, 1))) == 2
    with pytest.raises(ValueError, match="differ in length"):
        Batch(views=views, **known, counts=(1,))
