import pytest
import torch

from tests.models.contract import gives_what_the_official_code_gave, keeps_the_contract, looks_where_the_mark_is
from vidtok.errors import ModelError
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.mixers import MIXERS
from vidtok.nn.token_learner import TokenLearnerOptions

TIME, SPACE = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}


def tiny(cls=ViViT, **options):
    torch.manual_seed(0)
    return cls(
        **{
            "classes": 5,
            "frames": 4,
            "size": (16, 24),
            "tubelet": (2, 8, 8),
            "width": 24,
            "depth": 4,
            "heads": 2,
            **options,
        }
    )


def parameters(cls=ViViT, **options):
    with torch.device("meta"):
        return sum(p.numel() for p in cls(**{"classes": 400, **options}).parameters())


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({"pool": "cls"}, 88_954_000),
        ({"mixer": [[SPACE, TIME]]}, 117_319_312),
        ({"mixer": {"name": "mhsa", "axes": "split"}}, 88_952_464),
    ],
    ids=["model 1", "model 3", "model 4"],
)
def test_published_sizes(options, want):
    assert parameters(**options) == want


def test_token_learner_adds_its_own_parameters_only():
    added = parameters(token_learner=TokenLearnerOptions(after_block=6, tokens=8)) - parameters()
    assert added == 2 * 768 + 768 * 64 + 64 + 64 * 8 + 8


@pytest.mark.parametrize("after_block", [0, 2, 3])
@pytest.mark.parametrize("fuse", [False, True])
def test_token_learner_shrinks_the_grid_where_it_stands(after_block, fuse):
    network = tiny(token_learner=TokenLearnerOptions(after_block=after_block, tokens=3, fuse=fuse))
    seen = []
    for block in network.blocks:
        block.register_forward_hook(lambda _m, inputs, _o: seen.append(tuple(inputs[0].shape)))
    network(torch.randn(2, 4, 3, 16, 24))
    assert seen == [(2, 2, 2, 3, 24)] * after_block + [(2, 2, 3, 24)] * (4 - after_block)
    assert network.after_block == after_block
    assert network.token_learner is not None
    assert len(network.encoder.token_fusers) == (4 - after_block if fuse else 0)


def test_without_token_learner_there_is_none():
    network = tiny()
    assert network.token_learner is None
    assert network.after_block is None
    assert network.grid == (2, 2, 3)


@pytest.mark.parametrize("name", sorted(MIXERS))
def test_one_name_swaps_the_mixer_of_a_network_with_token_learner(name):
    network = tiny(mixer={"name": name}, token_learner=TokenLearnerOptions(after_block=2, tokens=3))
    torch.nn.init.normal_(network.head.logits.weight)
    network(torch.randn(2, 4, 3, 16, 24)).sum().backward()
    missing = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing, missing


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pool": "cls"},
        {"pool": "max", "norm_position": "after_pool", "pre_logits": 7, "gelu": "erf"},
        {"position": "sincos_flat", "mixer": {"name": "mhsa", "qkv_bias": "qv"}},
        {"position": "sincos_3d", "pool": "cls"},
        {"position": "none", "mixer": [TIME, SPACE]},
        {"mixer": [[TIME, SPACE]], "token_learner": TokenLearnerOptions(after_block=1, version="1.0")},
        {"dropout": 0.1, "drop_path": 0.2, "drop_path_rescale": True},
        {"sampled_frames": 2, "tubelet": (1, 8, 8)},
    ],
    ids=str,
)
@pytest.mark.parametrize("cls", [ViViT, FactorisedEncoderViViT])
def test_forms_run_forward_and_backward(cls, options):
    if cls is FactorisedEncoderViViT:
        options = {key: value for key, value in options.items() if key != "norm_position"}
    network = tiny(cls, **options).train()
    torch.nn.init.normal_(network.head.logits.weight)
    out = network(torch.randn(2, 4, 3, 16, 24))
    assert out.shape == (2, 5)
    out.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (ViViT, {"mixer": [[TIME, SPACE]], "token_learner": TokenLearnerOptions(after_block=2)}),
        (ViViT, {"token_learner": TokenLearnerOptions(after_block=1, version="1.0", fuse=True)}),
        (ViViT, {"pool": "cls"}),
        (FactorisedEncoderViViT, {"pool": "cls"}),
    ],
)
def test_half_precision_is_finite(cls, options, dtype):
    network = tiny(cls, **options)
    torch.nn.init.normal_(network.head.logits.weight)
    with torch.autocast("cpu", dtype=dtype):
        out = network(torch.randn(2, 4, 3, 16, 24))
    out.float().sum().backward()
    assert bool(out.isfinite().all())
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize("cls", [ViViT, FactorisedEncoderViViT])
def test_a_new_network_gives_every_class_the_same_score_and_learns(cls):
    network, x = tiny(cls), torch.randn(8, 4, 3, 16, 24)
    labels = torch.arange(8) % 5
    assert not network(x).any()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_a_pattern_of_mixers_repeats_over_the_blocks():
    def axes(network):
        return [[mixer.axes for mixer in block.mixers] for block in network.blocks]

    assert axes(tiny(mixer=[TIME, SPACE])) == [["time"], ["space"]] * 2
    assert axes(tiny(mixer=[[TIME, SPACE], SPACE])) == [["time", "space"], ["space"]] * 2
    with_learner = tiny(mixer=[SPACE], token_learner=TokenLearnerOptions(after_block=2))
    assert axes(with_learner) == [["space"], ["space"], ["joint"], ["joint"]]


def test_multi_axis_takes_turns_between_block_and_grid():
    def partitions(**spec):
        return [block.mixers[0].partition for block in tiny(mixer={"name": "multi_axis", **spec}).blocks]

    assert partitions() == ["block", "grid"] * 2
    assert partitions(partition="grid") == ["grid"] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 5}, "4 or 6 frames"),
        ({"size": (16, 20)}, "16 or 24 columns"),
        ({"heads": 5}, "5 heads do not divide a width of 24; 1, 2, 3, 4, 6, 8, 12, 24 would"),
        ({"pool": "cls", "token_learner": TokenLearnerOptions(after_block=2)}, "set `pool`=mean"),
        ({"token_learner": TokenLearnerOptions(after_block=4)}, "after_block` to 0 … 3"),
        ({"pool": "cls", "mixer": SPACE}, "set `pool`=mean"),
        (
            {"token_mixer": SPACE, "token_learner": TokenLearnerOptions(after_block=2)},
            "set `token_mixer.name`=mhsa",
        ),
        ({"mixer": [TIME, SPACE, TIME]}, "3 mixers does not fill 4 blocks"),
        ({"mixer": []}, "0 mixers does not fill 4 blocks"),
        ({"mixer": [[]]}, "block 0 has no mixer"),
        ({"mixer": {"name": "mhsaa"}}, "did you mean 'mhsa'"),
        ({"mixer": {"axes": "time"}}, "needs a name"),
        ({"heads": 3, "mixer": {"name": "mhsa", "axes": "split"}}, "even number, got 3"),
        ({"position": "sincos_3d", "width": 32, "heads": 4}, "got 32; 36"),
    ],
)
def test_what_cannot_work_says_what_would(options, message):
    with pytest.raises(ModelError, match=message):
        tiny(**options)


def test_dropped_branches_rise_over_the_depth():
    network = tiny(drop_path=0.3)
    assert [block.drop_path.drop_prob for block in network.blocks] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_contract_and_the_recorded_numbers():
    gives_what_the_official_code_gave(
        "vivit_m1_tiny", "vivit_m1_tiny_frame_sampling", "vivit_m3_tiny_space_time", "vivit_m4_tiny"
    )
    for name in ("vivit, class token", "vivit, Model 3", "vivit, TokenLearner"):
        keeps_the_contract(name)
    looks_where_the_mark_is("vivit", pool="cls", pre_logits=8)
