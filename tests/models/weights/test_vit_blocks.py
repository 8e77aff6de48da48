"""Blocks in two spellings, one matrix or three, with and without biases of the keys: the same network comes out."""

import pytest
import torch

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_blocks import BlockKeys, check_heads, check_made, put_block, put_blocks

FUSED = BlockKeys(
    block="b{i}.", attention_norm="n1", qkv=("qkv",), projection="proj", mlp_norm="n2", expand="fc1", contract="fc2"
)
SPLIT = BlockKeys(
    block="b{i}.",
    attention_norm="n1",
    qkv=("q", "k", "v"),
    projection="proj",
    mlp_norm="n2",
    expand="fc1",
    contract="fc2",
)


def network(**options):
    sizes = {"classes": 2, "frames": 2, "size": 8, "tubelet": (2, 4, 4), "width": 8, "depth": 2, "heads": 2}
    return ViViT(**{**sizes, **options})


def state(keys, generator):
    tensors = {}
    for i in range(2):
        for name, shape in {"n1": (8,), "n2": (8,), "proj": (8, 8), "fc1": (32, 8), "fc2": (8, 32)}.items():
            tensors[f"b{i}.{name}.weight"] = torch.randn(shape, generator=generator)
            tensors[f"b{i}.{name}.bias"] = torch.randn(shape[0], generator=generator)
        weight, bias = torch.randn(24, 8, generator=generator), torch.randn(24, generator=generator)
        for name, w, b in zip(keys.qkv, weight.chunk(len(keys.qkv)), bias.chunk(len(keys.qkv)), strict=True):
            tensors[f"b{i}.{name}.weight"], tensors[f"b{i}.{name}.bias"] = w, b
    return tensors


def put(keys, target, source):
    transfer = Transfer(target, source)
    put_blocks(transfer, target.encoder, "encoder.", keys)
    return transfer


def test_one_matrix_and_three_give_the_same_blocks():
    built = []
    for keys in (FUSED, SPLIT):
        target = network()
        source = state(keys, torch.Generator().manual_seed(0))
        rest = [name for name, _ in target.named_parameters() if ".blocks." not in name]
        put(keys, target, source).finish(may_miss=rest)
        built.append(target.encoder.blocks.state_dict())
        assert torch.equal(target.encoder.blocks[1].mlp.expand.weight, source["b1.fc1.weight"])
    assert all(torch.equal(built[0][key], built[1][key]) for key in built[0])


def test_attention_over_time_is_zero_only_where_it_is_asked_for():
    """Where nothing is said, one block gets what stands in the file for all of its mixers."""
    source = state(FUSED, torch.Generator().manual_seed(0))
    source = {key: value for key, value in source.items() if key.startswith("b0.")}
    both = [[{"name": "mhsa", "axes": "space"}, {"name": "mhsa", "axes": "time"}]]
    for options, zero in (({}, False), ({"zero_time_attention": False}, False), ({"zero_time_attention": True}, True)):
        target = network(mixer=both)
        block, transfer = target.encoder.blocks[0], Transfer(target, source)
        put_block(transfer, block, "encoder.blocks.0.", "b0.", FUSED, **options)
        transfer.finish(may_miss=[name for name, _ in target.named_parameters() if ".blocks.0." not in name])
        space, time = (mixer.projection.weight for mixer in block.mixers)
        assert torch.equal(space, source["b0.proj.weight"])
        assert torch.equal(time, torch.zeros_like(time) if zero else source["b0.proj.weight"])


def test_a_missing_key_is_named():
    source = state(FUSED, torch.Generator().manual_seed(0))
    del source["b1.fc2.bias"]
    with pytest.raises(CheckpointError, match=r"b1\.fc2\.bias"):
        put(FUSED, network(), source)


def test_another_mixer_is_refused():
    with pytest.raises(CheckpointError, match=r"does not fit the mixer Separable"):
        put(FUSED, network(mixer={"name": "separable"}), state(FUSED, torch.Generator().manual_seed(0)))


def test_other_conventions_are_noted():
    target = network(gelu="tanh", norm_eps=1e-6)
    transfer = put(FUSED, target, state(FUSED, torch.Generator().manual_seed(0)))
    usual = {"gelu": "erf", "norm_eps": 1e-6, "last_norm_eps": 1e-12}
    check_made(transfer, target.encoder, target.pool, {}, usual=usual)
    rest = [name for name, _ in target.named_parameters() if ".blocks." not in name]
    notes = transfer.finish(may_miss=rest).notes
    assert any("gelu=erf" in note for note in notes)
    assert any("last_norm_eps=1e-12" in note for note in notes)
    assert len(notes) == 2


def test_what_is_known_of_the_model_comes_before_what_is_usual():
    target = network(gelu="tanh", norm_eps=1e-6)
    transfer = put(FUSED, target, state(FUSED, torch.Generator().manual_seed(0)))
    made = {"gelu": "tanh", "last_norm_eps": 1e-5, "pool": "cls", "width": 8}
    usual = {"gelu": "erf", "norm_eps": 1e-6, "last_norm_eps": 1e-12}
    check_made(transfer, target.encoder, target.pool, made, usual=usual)
    rest = [name for name, _ in target.named_parameters() if ".blocks." not in name]
    assert [note.split(",")[0] for note in transfer.finish(may_miss=rest).notes] == [
        "the weights were made with last_norm_eps=1e-05",
        "the weights were made with pool=cls",
    ]


def test_other_heads_are_an_error():
    target = network()
    heads = target.blocks[0].mixers[0].heads
    check_heads(target.encoder, heads)
    check_heads(target.encoder, None)
    said = f"made with {heads + 1} heads, the network has {heads}: set time_heads={heads + 1}"
    with pytest.raises(CheckpointError, match=said):
        check_heads(target.encoder, heads + 1, option="time_heads")
