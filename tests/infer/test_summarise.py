"""Summaries of videos: kept by content, made once, and the controls are what they are called."""

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.runs.own_clips import encoder_file, own_clips
from vidtok.data.dataset import VideoDataset
from vidtok.data.lists import open_list
from vidtok.infer import summarise
from vidtok.infer.predict import model_views
from vidtok.infer.summarise import (
    Summarised,
    clip_summaries,
    fingerprint,
    in_half,
    read_tokens,
    summarise_videos,
    thumbnails,
    token_names,
    video_key,
)
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.encoders import find_encoder
from vidtok.models.summary_network import summaries
from vidtok.nn.reduce_tokens import Reduction
from vidtok.runs.fit_model import encoder_model
from vidtok.types import Failure


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=2)
    encoder_file(folder / "encoder.safetensors")
    return folder


@pytest.fixture(scope="module")
def model(desk):
    weights = find_encoder(f"test_efficientnet={desk / 'encoder.safetensors'}")
    return encoder_model(weights, ("blue", "green", "red"), summary="mean", frames=5, kind="softmax")


def records_of(desk):
    return open_list(desk / "clips", root=None, classes=None, format="auto", part="train")[0]


def test_controls_are_summaries_of_the_clip_in_another_order(model):
    clip = torch.randint(0, 256, (5, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = clip_summaries(model, model.network, clip)
    orders = {"plain": clip, "one": clip[[2] * 5], "reversed": clip.flip(0)}
    for control, own in orders.items():
        with torch.inference_mode():
            wanted = summaries(*model.network.maps(model.normalise(own[None])))
        for part, vector in wanted.items():
            torch.testing.assert_close(found[f"{control}.{part}"], vector[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found["shuffled.mean"], found["plain.mean"], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found["shuffled.motion"], found["plain.motion"])


def test_an_encoder_whose_frames_see_each_other_encodes_every_control():
    torch.manual_seed(0)
    options = {"network": "vivit", "options": {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2}}
    plan = Architecture(network="own", options=options, frames=4, size=16)
    model = Classifier(plan.build(classes=2), mean=(0.5,) * 3, std=(0.5,) * 3, classes=("a", "b"), architecture=plan)
    clip = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = clip_summaries(model.eval(), model.network, clip)
    for control, own in {"plain": clip, "one": clip[[1] * 4], "reversed": clip.flip(0)}.items():
        with torch.inference_mode():
            wanted = summaries(*model.network.maps(model.normalise(own[None])))
        for part, vector in wanted.items():
            torch.testing.assert_close(found[f"{control}.{part}"], vector[0])
    assert not torch.allclose(found["reversed.mean"], found["plain.mean"])
    assert not torch.allclose(found["shuffled.mean"], found["plain.mean"])


def test_tokens_of_other_orders_are_kept_where_frames_see_each_other(model):
    torch.manual_seed(0)
    options = {"network": "vivit", "options": {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2}}
    plan = Architecture(network="own", options=options, frames=4, size=16)
    grey = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    together = Classifier(plan.build(classes=2), **grey, classes=("a", "b"), architecture=plan).eval()
    clip = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    cells = Reduction(form="cells", side=2)
    names = token_names(together.network, [cells])
    assert names == ["cells_2", "cells_2.shuffled", "cells_2.reversed"]
    assert token_names(model.network, [cells]) == ["cells_2"]
    found = clip_summaries(together, together.network, clip, [cells])
    assert {name for name in found if name.startswith("tokens.")} == {f"tokens.{name}" for name in names}
    backwards = clip_summaries(together, together.network, clip.flip(0), [cells])
    assert torch.equal(found["tokens.cells_2.reversed"], backwards["tokens.cells_2"])
    assert not torch.equal(found["tokens.cells_2.reversed"], found["tokens.cells_2"].flip(0))


def test_what_is_kept_comes_back_bit_by_bit_and_half_a_file_is_made_again(desk, model, tmp_path, monkeypatch):
    records, views = records_of(desk), model_views(model)
    first = {each.index: each for each in summarise_videos(model, records, views=views, folder=tmp_path)}
    assert sorted(first) == list(range(6))
    files = sorted(tmp_path.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:100])
    calls = []
    real = summarise.clip_summaries
    monkeypatch.setattr(summarise, "clip_summaries", lambda *given: calls.append(1) or real(*given))
    again = {each.index: each for each in summarise_videos(model, records, views=views, folder=tmp_path)}
    assert len(calls) == 1
    for index, each in first.items():
        other = again[index]
        assert isinstance(each, Summarised)
        assert isinstance(other, Summarised)
        assert all(torch.equal(other.vectors[name], vector) for name, vector in each.vectors.items())
    assert sorted(tmp_path.iterdir()) == files


def test_the_key_follows_from_content_part_weights_and_way(desk, model):
    record, other, *_ = records_of(desk)
    way = fingerprint(model, model_views(model))
    key = video_key(record, way)
    assert video_key(dataclasses.replace(record, video_id="x"), way) == key
    assert video_key(dataclasses.replace(record, start_seconds=0.2), way) != key
    assert video_key(other, way) != key
    assert fingerprint(model, model_views(model, clips=2)) != way
    with torch.no_grad():
        model.network.body.conv_stem.weight[0] += 1
    try:
        assert fingerprint(model, model_views(model)) != way
    finally:
        with torch.no_grad():
            model.network.body.conv_stem.weight[0] -= 1


def test_videos_that_are_missing_or_broken_are_failures_in_their_place(desk, model, tmp_path):
    records = list(records_of(desk))[:3]
    (tmp_path / "broken.mp4").write_text("no video")
    records[0] = dataclasses.replace(records[0], path=tmp_path / "none.mp4")
    records[1] = dataclasses.replace(records[1], path=tmp_path / "broken.mp4")
    found = {
        each.index: each
        for each in summarise_videos(model, records, views=model_views(model), folder=tmp_path / "features")
    }
    for index, name in ((0, "none.mp4"), (1, "broken.mp4")):
        failure = found[index]
        assert isinstance(failure, Failure)
        assert name in failure.cause
    assert isinstance(found[2], Summarised)


@pytest.mark.parametrize(("frames", "steps"), [(1, 1), (5, 5), (16, 16), (33, 16)])
def test_thumbnails_are_grey_means_of_places(frames, steps):
    clip = torch.randint(256, (frames, 3, 32, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = thumbnails(clip)
    assert found.shape == (steps, 16, 16)
    kept = clip[:3] if frames == 33 else clip[:1]  # 33 frames are 3 and 15 pairs
    torch.testing.assert_close(found[0, 2, 5], kept[:, :, 4:6, 20:24].float().mean())
    torch.testing.assert_close(thumbnails(clip.flip(3)), found.flip(2))


REDUCTIONS = (Reduction(form="full"), Reduction(form="cells", side=2))


def test_tokens_are_the_last_maps_reduced_and_each_form_is_made_once(desk, model, tmp_path, monkeypatch):
    records, views = list(records_of(desk))[:2], model_views(model)
    first = list(summarise_videos(model, records, views=views, folder=tmp_path, reductions=REDUCTIONS))
    clip = VideoDataset(records, views=views).sample(record=0).views[0]
    with torch.inference_mode():
        last, _ = model.network.maps(model.normalise(clip[None]))
    for reduction in REDUCTIONS:
        kept = read_tokens(first[0].tokens[reduction.name])
        assert kept.dtype == torch.float16
        torch.testing.assert_close(kept.float(), reduction(last)[0], rtol=1e-3, atol=1e-3)
    calls = []
    real = summarise.clip_summaries
    monkeypatch.setattr(summarise, "clip_summaries", lambda *given: calls.append(1) or real(*given))

    def again(*reductions):
        calls.clear()
        found = list(summarise_videos(model, records, views=views, folder=tmp_path, reductions=reductions))
        assert {each.index for each in found} == {0, 1}
        return len(calls)

    assert again(*REDUCTIONS) == again(REDUCTIONS[1]) == again() == 0
    assert again(Reduction(form="mean")) == 2, "another form is encoded anew"
    file = first[1].tokens["cells_2"]
    file.write_bytes(file.read_bytes()[:-1])
    assert again(*REDUCTIONS) == 1
    assert again(*REDUCTIONS) == 0


def test_numbers_too_large_for_half_precision_are_kept_whole():
    assert in_half(torch.full((1, 1, 2), 3.0)).dtype == torch.float16
    assert torch.equal(in_half(torch.full((1, 1, 2), 1e6)), torch.full((1, 1, 2), 1e6))
