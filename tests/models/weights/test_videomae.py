import pytest
import torch
from transformers import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEForVideoClassification

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.weights.videomae import load_videomae
from vidtok.nn.position import resize_table, sincos_flat
from vidtok.nn.token_learner import TokenLearnerOptions

CONFIG = {
    "image_size": 32,
    "num_frames": 4,
    "tubelet_size": 2,
    "patch_size": 8,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "num_labels": 5,
    "use_mean_pooling": True,
}


def shaken(model):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.double().eval()


def theirs():
    return shaken(VideoMAEForVideoClassification(VideoMAEConfig(**CONFIG)))


def ours(qkv_bias="qv", **options):
    sizes = {"classes": 5, "frames": 4, "size": 32, "tubelet": (2, 8, 8), "width": 24, "depth": 2, "heads": 2}
    kind = {"position": "sincos_flat", "norm_position": "after_pool", "gelu": "erf", "mlp_ratio": 2.0}
    return ViViT(**{**sizes, **kind, "mixer": {"name": "mhsa", "qkv_bias": qkv_bias}, **options}).double().eval()


def original_names(state, prefix=""):
    """The state of transformers' model under the names of the originals."""
    renamed = {}
    for i in range(2):
        old, new = f"videomae.encoder.layer.{i}.", f"{prefix}blocks.{i}."
        attention = f"{old}attention.attention."
        renamed[f"{new}attn.qkv.weight"] = torch.cat(
            [state[f"{attention}{n}.weight"] for n in ("query", "key", "value")]
        )
        for letter, name in (("q", "query"), ("v", "value")):
            key = f"{attention}{name}.bias"
            renamed[f"{new}attn.{letter}_bias"] = state[key if key in state else f"{attention}{letter}_bias"]
        for kind in ("weight", "bias"):
            renamed[f"{new}attn.proj.{kind}"] = state[f"{old}attention.output.dense.{kind}"]
            renamed[f"{new}norm1.{kind}"] = state[f"{old}layernorm_before.{kind}"]
            renamed[f"{new}norm2.{kind}"] = state[f"{old}layernorm_after.{kind}"]
            renamed[f"{new}mlp.fc1.{kind}"] = state[f"{old}intermediate.dense.{kind}"]
            renamed[f"{new}mlp.fc2.{kind}"] = state[f"{old}output.dense.{kind}"]
    for kind in ("weight", "bias"):
        projection = state[f"videomae.embeddings.patch_embeddings.projection.{kind}"]
        renamed[f"{prefix}patch_embed.proj.{kind}"] = projection
        if f"fc_norm.{kind}" in state:
            renamed[f"{prefix}fc_norm.{kind}"] = state[f"fc_norm.{kind}"]
            renamed[f"{prefix}head.{kind}"] = state[f"classifier.{kind}"]
    return renamed


def in_module(state):
    return original_names(state, "module.backbone.")


def in_files(state):
    """transformers writes the biases of q and v under other names than it has them in memory."""
    return {
        key.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): tensor for key, tensor in state.items()
    }


@pytest.mark.parametrize("qkv_bias", ["qv", "full"])
@pytest.mark.parametrize("names", [dict, in_files, original_names, in_module])
def test_same_logits(names, qkv_bias):
    # The originals' epsilons are 1e-6, transformers' other ones.
    originals = names in (original_names, in_module)
    model = theirs()
    if originals:
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = 1e-6
    network = ours(qkv_bias) if originals else ours(qkv_bias, norm_eps=1e-12, last_norm_eps=1e-5)
    report = load_videomae(network, names(model.state_dict()))
    assert not report.missing + report.resized + report.skipped + report.notes, report
    x = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(x), model(pixel_values=x).logits, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "names", [dict, lambda s: original_names(s, "encoder.") | {"encoder.norm.weight": torch.ones(24)}]
)
def test_of_a_pretraining_file_the_encoder_is_taken(names):
    config = VideoMAEConfig(
        **CONFIG, decoder_hidden_size=12, decoder_num_hidden_layers=1, decoder_num_attention_heads=2
    )
    state = VideoMAEForPreTraining(config).state_dict()
    own = names(state) | {k: v for k, v in state.items() if not k.startswith("videomae.")}
    network = ours(token_learner=TokenLearnerOptions(after_block=1))
    report = load_videomae(network, own)
    assert any(line.startswith("decoder.") for line in report.skipped)
    started = ("encoder.token_learners.0.", "head.logits.", "pool.norm.")
    assert all(name.startswith(started) for name in report.missing)
    assert torch.equal(
        network.blocks[1].mlp.contract.weight.float(), state["videomae.encoder.layer.1.output.dense.weight"]
    )


def test_learned_positions_start_as_theirs_on_any_grid():
    network = ours(position="learned", frames=8)
    report = load_videomae(network, theirs().state_dict(), source_grid=(2, 4, 4))
    want = resize_table(sincos_flat(24, grid=(2, 4, 4)), (4, 4, 4)).double()
    assert torch.equal(network.encoder.position.table, want)
    assert any(note.startswith("positions were made on (2, 4, 4)") for note in report.notes)
    report = load_videomae(ours(frames=8), theirs().state_dict(), source_grid=(2, 4, 4))
    assert any("made anew for (4, 4, 4). With `position`=learned" in note for note in report.notes)
    with pytest.raises(CheckpointError, match=r"set `position`=sincos_flat"):
        load_videomae(ours(position="none"), theirs().state_dict())


def test_saved_positions_must_be_the_known_ones():
    state = original_names(theirs().state_dict())
    table = sincos_flat(24, grid=(2, 4, 4)).reshape(1, 32, 24)
    report = load_videomae(ours(), state | {"pos_embed": table})
    assert [line.split(" ")[0] for line in report.skipped] == ["pos_embed"]
    with pytest.raises(CheckpointError, match="not sines and cosines"):
        load_videomae(ours(), state | {"pos_embed": table + 0.1})
    with pytest.raises(CheckpointError, match=rf"16 positions of width {table.shape[2]} are.*source_grid"):
        load_videomae(ours(), state | {"pos_embed": table[:, :16]})


def test_a_norm_on_the_other_side_of_the_pooling_is_an_error():
    with pytest.raises(CheckpointError, match="`norm_position`=after_pool"):
        load_videomae(ours(norm_position="before_pool"), theirs().state_dict())
    fine_tuned = {k.replace("fc_norm", "norm"): v for k, v in original_names(theirs().state_dict()).items()}
    with pytest.raises(CheckpointError, match=r"norm\.bias, norm\.weight"):
        load_videomae(ours(), fine_tuned)
