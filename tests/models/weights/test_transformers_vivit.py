import re

import pytest
import torch
from transformers import VivitConfig, VivitForVideoClassification

from tests.models.contract import gives_what_the_official_code_gave
from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.weights.transformers_vivit import load_transformers_vivit
from vidtok.nn.token_learner import TokenLearnerOptions

# From the names in memory to those in files on the hub.
HUB_NAMES = (
    (r"vivit\.layers\.", "vivit.encoder.layer."),
    (r"attention\.q_proj", "attention.attention.query"),
    (r"attention\.k_proj", "attention.attention.key"),
    (r"attention\.v_proj", "attention.attention.value"),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)


def theirs():
    torch.manual_seed(0)
    model = VivitForVideoClassification(
        VivitConfig(
            image_size=32,
            num_frames=4,
            tubelet_size=[2, 16, 16],
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            num_labels=5,
        )
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.double().eval()


def ours(**options):
    sizes = {
        "classes": 5,
        "frames": 4,
        "size": 32,
        "width": 24,
        "depth": 2,
        "heads": 2,
        "mlp_ratio": 2.0,
        "pool": "cls",
    }
    return ViViT(**{**sizes, **options}).double().eval()


def hub_state(model):
    state = {}
    for key, tensor in model.state_dict().items():
        for pattern, name in HUB_NAMES:
            key = re.sub(pattern, name, key)
        state[key] = tensor
    return state


@pytest.mark.parametrize("names", ["in memory", "hub"])
def test_same_logits(names):
    model, network = theirs(), ours()
    report = load_transformers_vivit(network, model.state_dict() if names == "in memory" else hub_state(model))
    assert not report.missing + report.resized + report.skipped + report.notes, report
    x = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(x), model(x).logits, rtol=1e-8, atol=1e-8)


def test_with_token_learner_the_class_token_is_left_out():
    network = ours(pool="mean", token_learner=TokenLearnerOptions(after_block=1))
    report = load_transformers_vivit(network, theirs().state_dict())
    assert [line.split(" ")[0] for line in report.skipped] == ["vivit.embeddings.cls_token"]
    assert len(report.resized) == 1
    assert all(name.startswith("encoder.token_learners.0.") for name in report.missing)


def test_another_depth_is_an_error():
    with pytest.raises(CheckpointError, match=r"vivit\.\S*1\."):
        load_transformers_vivit(ours(depth=1), theirs().state_dict())


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("hf_vivit_tiny")
