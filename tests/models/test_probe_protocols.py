"""V-JEPA 2's protocols: clips as the authors' code takes them, and scores against loops over transformers' model."""

import numpy as np
import pytest
import torch
from transformers import VJEPA2Config, VJEPA2Model

from vidtok.errors import ModelError
from vidtok.models.probe_protocols import VJEPA2_PROBES, ProbeProtocol, find_protocol, probe_scores
from vidtok.nn.attentive_probe import AttentiveProbe


def tiny(**options) -> ProbeProtocol:
    return ProbeProtocol(
        **{"encoder": "tiny", "classes": 3, "frames": 4, "stride": 2, "segments": 2, "crops": 3, "size": 32, **options}
    )


@pytest.mark.parametrize("length", [1, 2, 5, 8, 9, 15, 16, 17, 18, 40])
@pytest.mark.parametrize("segments", [2, 4])
def test_clips_are_those_of_numpys_rule(length, segments):
    """The rule written with numpy's rounding towards zero, frame by frame."""
    got = [clip.tolist() for clip in tiny(segments=segments).clips(length)]
    part, whole = length // segments, 8
    for i, clip in enumerate(got):
        if part > whole:
            want = [min(int(v), whole - 1) + i * part for v in np.linspace(0, whole, num=4)]
        else:
            last = min(whole, length) - 1
            own = [*np.linspace(0, last, num=last // 2), *[last] * (4 - last // 2)]
            step = (length - whole) // (segments - 1) if length > whole else 0
            want = [max(min(int(v), last - 1), 0) + i * step for v in own]
        assert clip == want
        assert all(0 <= index < length for index in clip)


def test_a_long_video_by_hand():
    assert [clip.tolist() for clip in tiny().clips(20)] == [[0, 2, 5, 7], [10, 12, 15, 17]]
    assert [clip.tolist() for clip in tiny().clips(10)] == [[0, 3, 6, 6], [2, 5, 8, 8]]
    with pytest.raises(ValueError, match="at least one frame, got 0"):
        tiny().clips(0)


def test_the_published_ones_are_there_by_name():
    told = {
        name: (p.encoder, p.classes, p.frames, p.stride, p.segments, p.crops, p.size, p.layers)
        for name, p in VJEPA2_PROBES.items()
    }
    assert told == {
        "ssv2-vitl-16x2x3": ("vitl", 174, 16, 4, 2, 3, 256, None),
        "ssv2-vitg-384-64x2x3": ("vitg-384", 174, 64, 2, 2, 3, 384, None),
        "diving48-vitl-256": ("vitl", 48, 32, 2, 4, 3, 256, (17, 19, 21, 23)),
        "diving48-vitg-384-32x4x3": ("vitg-384", 48, 32, 2, 4, 3, 384, (24, 29, 34, 39)),
    }
    assert find_protocol("diving48-vitl-256") is VJEPA2_PROBES["diving48-vitl-256"]
    with pytest.raises(ModelError, match="'ssv2'; there are ssv2-vitl"):
        find_protocol("ssv2")


@pytest.fixture(scope="module")
def encoder() -> VJEPA2Model:
    torch.manual_seed(0)
    sizes = {"crop_size": 32, "frames_per_clip": 4, "hidden_size": 12, "num_attention_heads": 2, "mlp_ratio": 2.0}
    predictor = {"pred_hidden_size": 12, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    return VJEPA2Model(VJEPA2Config(**sizes, **predictor, num_hidden_layers=3)).double().eval()


def test_depths_and_segments_go_before_the_probe_together_and_crops_are_averaged(encoder):
    protocol = tiny(layers=(0, 2))
    torch.manual_seed(1)
    probe = AttentiveProbe(12, classes=3, heads=2, depth=2).double().eval()
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    clips = torch.randn(2, 2, 3, 4, 3, 32, 32, dtype=torch.float64)

    def tokens_of(some):
        hidden = encoder(some, skip_predictor=True, output_hidden_states=True).hidden_states
        return [encoder.encoder.layernorm(hidden[layer + 1]) for layer in protocol.layers]

    got = probe_scores(probe, tokens_of, clips, protocol=protocol)
    for video in range(2):
        crops = []
        for crop in range(3):
            with torch.no_grad():
                parts = [level[0] for g in range(2) for level in tokens_of(clips[video, g, crop][None])]
                crops.append(probe(torch.cat(parts)[None])[0].softmax(0))
        torch.testing.assert_close(got[video], sum(crops) / 3, rtol=0, atol=1e-10)
    with pytest.raises(ModelError, match="2 depths of the encoder, there are tokens of 1"):
        probe_scores(probe, lambda some: tokens_of(some)[:1], clips, protocol=protocol)
    with pytest.raises(ModelError, match="2 segments, 3 crops and 4 frames, these clips 1, 3 and 4"):
        probe_scores(probe, tokens_of, clips[:, :1], protocol=protocol)
