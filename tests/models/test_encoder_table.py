"""What is said of encoders is counted."""

import pytest
import timm
import torch
import transformers

import vidtok
from vidtok.models.cost import count_cost
from vidtok.models.encoder import PictureEncoder
from vidtok.models.encoder_table import ENCODERS
from vidtok.models.encoders import PACKAGES, find_encoder
from vidtok.models.motion_start import MOTION_START
from vidtok.models.transformers_encoder import TransformersEncoder
from vidtok.runs.fit_model import encoder_model

OF_TIMM = [record for record in ENCODERS if "/" not in record.name and record.name != MOTION_START]
ON_HUB = [record for record in ENCODERS if "/" in record.name]
CONFIGS = {
    "facebook/vjepa2-vitl-fpc64-256": "VJEPA2Config",
    "google/videoprism-base-f16r288@refs/pr/4": "VideoPrismVisionConfig",
    "MCG-NJU/videomae-base-finetuned-kinetics": "VideoMAEConfig",
    "google/vivit-b-16x2-kinetics400": "VivitConfig",
    "facebook/timesformer-base-finetuned-k400": "TimesformerConfig",
    "microsoft/xclip-base-patch32": "XCLIPVisionConfig",
}


def test_those_that_were_tried_come_first_and_can_be_had():
    assert vidtok.list_encoders() is ENCODERS
    assert [record.tried for record in ENCODERS] == sorted((record.tried for record in ENCODERS), reverse=True)
    assert {record.name for record in ENCODERS if record.tried} == {*(own.name for own in PACKAGES), MOTION_START}
    assert len({record.name for record in ENCODERS}) == len(ENCODERS)


@pytest.mark.parametrize("record", OF_TIMM, ids=lambda record: record.name)
def test_timm_s_are_there_with_this_licence(record):
    told = timm.get_pretrained_cfg(record.name)
    assert told is not None
    assert told.hf_hub_id
    assert (told.license or "see its page").lower() == record.licence.lower()


@pytest.mark.parametrize("record", OF_TIMM, ids=lambda record: record.name)
def test_costs_are_counted(record):
    with torch.device("meta"):
        network = PictureEncoder(classes=1, frames=1, size=record.size, encoder=record.name)
    assert sum(parameter.numel() for parameter in network.body.parameters()) == record.parameters
    cost = count_cost(network, frames=1, size=record.size)[""]
    assert cost.macs - network.head.in_features == record.macs


@pytest.mark.slow
@pytest.mark.parametrize("record", ON_HUB, ids=lambda record: record.name)
def test_costs_on_the_hub_are_those_of_the_library_s_configuration(record):
    config = getattr(transformers, CONFIGS[record.name])().to_dict()
    with torch.device("meta"):
        network = TransformersEncoder(classes=1, config=config, frames=record.frames, size=record.size)
    assert sum(parameter.numel() for parameter in network.body.parameters()) == record.parameters
    cost = count_cost(network, frames=record.frames, size=record.size)[""]
    assert cost.macs - network.head.in_features == record.macs


def test_vidtok_s_own_is_counted_too():
    (record,) = (record for record in ENCODERS if record.name == MOTION_START)
    weights = find_encoder(MOTION_START)
    assert (record.frames, record.size) == (weights.frames, weights.size)
    network = encoder_model(weights, ("a", "b"), summary="mean", frames=12, kind="softmax").network
    assert sum(parameter.numel() for parameter in network.body.parameters()) == record.parameters
    cost = count_cost(network, frames=12, size=record.size)[""]
    assert cost.macs - 2 * network.head.in_features == record.macs
