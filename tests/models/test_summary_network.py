"""What encoders of any origin share: their maps summed up, and a linear layer of zeros."""

import pytest
import torch

from tests.models.networks import ENCODER, clip_of, filled
from vidtok.errors import ModelError
from vidtok.models.encoder import PictureEncoder
from vidtok.models.summary_network import summaries
from vidtok.nn.summary import frame_means, map_statistics, motion_summary, time_statistics


def test_the_parts_of_a_summary():
    last, middle = torch.randn(2, 3, 4, 4, 5), torch.randn(2, 3, 4, 4, 7)
    found = summaries(last, middle)
    assert list(found) == ["mean", "time", "maps", "motion"]
    torch.testing.assert_close(found["mean"], last.mean((1, 2, 3)))
    torch.testing.assert_close(found["time"], time_statistics(frame_means(last)))
    torch.testing.assert_close(found["maps"], torch.cat([map_statistics(last), map_statistics(middle)], -1))
    torch.testing.assert_close(found["motion"], motion_summary(middle))


@pytest.mark.parametrize("summary", ["mean", "time", "maps", "motion", "maps_motion", "time_motion"])
def test_logits_are_a_linear_layer_on_the_parts_side_by_side(summary):
    network = PictureEncoder(**{**ENCODER, "summary": summary}, classes=3).eval()
    clip = clip_of(network)
    assert not network(clip).any(), "it starts at zero"
    torch.nn.init.normal_(network.head.weight)
    with torch.no_grad():
        last, middle = network.maps(clip)
        vector = torch.cat([summaries(last, middle)[part] for part in summary.split("_")], -1)
        torch.testing.assert_close(network(clip), network.head(vector))
        torch.testing.assert_close(network.logits_of_maps(last, middle), network(clip))
    assert network.grid == tuple(last.shape[1:4])


@pytest.mark.parametrize("name", ["encoder", "own", "transformers"])
def test_another_classifier_is_zeros_of_the_same_kind(name):
    network = filled(name).double()
    network.reset_classifier(7)
    assert network.head.weight.shape[0] == 7
    assert network.head.weight.dtype == torch.float64
    assert not network.head.weight.any()
    assert not network.head.bias.any()
    with pytest.raises(ModelError, match="at least 1 class, got 0"):
        network.reset_classifier(0)
