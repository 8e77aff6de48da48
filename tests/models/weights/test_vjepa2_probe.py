"""V-JEPA 2's probes: the logits of transformers' classifier for the same weights, from its names and from Meta's."""

import pytest
import torch
from transformers import VJEPA2Config, VJEPA2ForVideoClassification

from vidtok.errors import CheckpointError
from vidtok.models.weights.vjepa2_probe import load_vjepa2_probe, make_vjepa2_probe, read_vjepa2_probe
from vidtok.nn.attentive_probe import AttentiveProbe

WIDTH, HEADS, CLASSES = 24, 2, 5


@pytest.fixture(scope="module")
def theirs() -> VJEPA2ForVideoClassification:
    torch.manual_seed(0)
    config = VJEPA2Config(
        crop_size=32,
        frames_per_clip=4,
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        num_hidden_layers=1,
        mlp_ratio=2.0,
        num_pooler_layers=3,
        pred_hidden_size=12,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
        num_labels=CLASSES,
    )
    model = VJEPA2ForVideoClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model.double().eval()


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    return torch.randn(2, 4, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def logits_of(theirs, probe, clip):
    with torch.no_grad():
        tokens = theirs.vjepa2(clip, skip_predictor=True).last_hidden_state
        return probe(tokens), theirs(clip).logits


def meta_state(model) -> dict[str, torch.Tensor]:
    """The same weights under the names of Meta's files, written out one by one."""
    state, own = {}, dict(model.state_dict())
    state["module.pooler.query_tokens"] = own["pooler.query_tokens"]
    for kind in ("weight", "bias"):
        for i in range(3):
            old, new = f"pooler.self_attention_layers.{i}", f"module.pooler.blocks.{i}"
            qkv = [own[f"{old}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
            state[f"{new}.attn.qkv.{kind}"] = torch.cat(qkv)
            state[f"{new}.attn.proj.{kind}"] = own[f"{old}.self_attn.out_proj.{kind}"]
            for n in "12":
                state[f"{new}.norm{n}.{kind}"] = own[f"{old}.layer_norm{n}.{kind}"]
                state[f"{new}.mlp.fc{n}.{kind}"] = own[f"{old}.mlp.fc{n}.{kind}"]
        old, new = "pooler.cross_attention_layer", "module.pooler.cross_attention_block"
        state[f"{new}.xattn.q.{kind}"] = own[f"{old}.cross_attn.q_proj.{kind}"]
        state[f"{new}.xattn.kv.{kind}"] = torch.cat([own[f"{old}.cross_attn.{name}_proj.{kind}"] for name in "kv"])
        for n in "12":
            state[f"{new}.norm{n}.{kind}"] = own[f"{old}.layer_norm{n}.{kind}"]
            state[f"{new}.mlp.fc{n}.{kind}"] = own[f"{old}.mlp.fc{n}.{kind}"]
        state[f"module.linear.{kind}"] = own[f"classifier.{kind}"]
    return state


def test_a_classifier_of_transformers_gives_its_own_logits(theirs, clip):
    probe = make_vjepa2_probe(theirs.state_dict(), heads=HEADS)
    ours, wanted = logits_of(theirs, probe, clip)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-8)
    assert float(wanted.std()) > 0.1, "logits that tell clips and classes apart"
    assert not probe.training


def test_a_file_of_metas_gives_the_same_logits(theirs, clip, tmp_path):
    file = tmp_path / "ssv2.pt"
    other = {key: torch.zeros_like(tensor) for key, tensor in meta_state(theirs).items()}
    torch.save({"classifiers": [other, meta_state(theirs)], "epoch": 20, "lr": 1e-3}, file)
    ours, wanted = logits_of(theirs, make_vjepa2_probe(read_vjepa2_probe(file, number=1), heads=HEADS), clip)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-8)
    assert not read_vjepa2_probe(file)["linear.weight"].any(), "the first one, unless another is asked for"


def test_every_key_of_the_probe_is_used_and_the_encoder_is_left_out(theirs):
    report = load_vjepa2_probe(AttentiveProbe(WIDTH, classes=CLASSES, heads=HEADS), theirs.state_dict())
    assert not report.missing
    assert len(report.used) == len([key for key in theirs.state_dict() if not key.startswith("vjepa2.")])
    assert all(key.startswith("vjepa2.") for key in report.skipped)


def test_keys_that_are_missing_left_over_or_of_another_size_are_named(theirs):
    state = {key: value for key, value in theirs.state_dict().items() if not key.startswith("vjepa2.")}
    without = {key: value for key, value in state.items() if key != "pooler.cross_attention_layer.mlp.fc2.bias"}
    with pytest.raises(CheckpointError, match=r"no 'pooler\.cross_attention_layer\.mlp\.fc2\.bias'"):
        make_vjepa2_probe(without, heads=HEADS)
    with pytest.raises(CheckpointError, match=r"1 keys of the weights have no place in the network: pooler\.more"):
        make_vjepa2_probe({**state, "pooler.more": state["classifier.bias"]}, heads=HEADS)
    with pytest.raises(CheckpointError, match=r"classifier\.weight: its shape \(5, 24\) does not fit 'head\.weight'"):
        load_vjepa2_probe(AttentiveProbe(WIDTH, classes=4, heads=HEADS), state)
    with pytest.raises(CheckpointError, match=r"no 'pooler\.query_tokens', which a probe of V-JEPA 2 needs"):
        make_vjepa2_probe({"x": torch.zeros(2)})


def test_other_files_are_refused(tmp_path):
    for name, content in {"a": {"model": {}}, "b": {"classifiers": [{"x": torch.zeros(1)}, {"x": 1}]}}.items():
        torch.save(content, tmp_path / f"{name}.pt")
        with pytest.raises(CheckpointError, match=rf"{name}\.pt: no file of V-JEPA 2's probes"):
            read_vjepa2_probe(tmp_path / f"{name}.pt")
    torch.save({"classifiers": [{"x": torch.zeros(1)}]}, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match="holds 1 probes, counted from 0; there is no number 1"):
        read_vjepa2_probe(tmp_path / "c.pt", number=1)
    (tmp_path / "d.pt").write_bytes(b"\x80\x02c__builtin__\neval\n.")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_vjepa2_probe(tmp_path / "d.pt")
