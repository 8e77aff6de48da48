"""What the golden cases (tests/models/test_golden.py) do not show: weights of one network in another."""

import pytest
import torch

from tests.golden.synthetic import synthetic_state
from tests.models.contract import gives_what_the_official_code_gave
from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.scenic import load_scenic, time_depth
from vidtok.nn.token_learner import TokenLearnerOptions

TIME, SPACE = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}
WIDTH = 12


def encoder_shapes(prefix, rows, depth):
    shapes = {f"{prefix}posembed_input/pos_embedding": (1, rows, WIDTH)}
    for name in [f"{prefix}encoder_norm"]:
        shapes |= {f"{name}/scale": (WIDTH,), f"{name}/bias": (WIDTH,)}
    for i in range(depth):
        block = f"{prefix}encoderblock_{i}/"
        for name in ("LayerNorm_0", "LayerNorm_1"):
            shapes |= {f"{block}{name}/scale": (WIDTH,), f"{block}{name}/bias": (WIDTH,)}
        attention = f"{block}MultiHeadDotProductAttention_0/"
        for name in ("query", "key", "value"):
            shapes |= {f"{attention}{name}/kernel": (WIDTH, 2, 6), f"{attention}{name}/bias": (2, 6)}
        shapes |= {f"{attention}out/kernel": (2, 6, WIDTH), f"{attention}out/bias": (WIDTH,)}
        for name, sizes in (("Dense_0", (WIDTH, 4 * WIDTH)), ("Dense_1", (4 * WIDTH, WIDTH))):
            shapes |= {f"{block}MlpBlock_0/{name}/kernel": sizes, f"{block}MlpBlock_0/{name}/bias": sizes[1:]}
    return shapes


def tensors(shapes):
    return {key: torch.from_numpy(array) for key, array in synthetic_state(shapes, 0, "flax").items()}


def picture_vit(classes=5, side=4):
    return tensors(
        {
            **encoder_shapes("Transformer/", side * side + 1, 2),
            "cls": (1, 1, WIDTH),
            "embedding/kernel": (8, 8, 3, WIDTH),
            "embedding/bias": (WIDTH,),
            "output_projection/kernel": (WIDTH, classes),
            "output_projection/bias": (classes,),
        }
    )


def video(cls=ViViT, **options):
    sizes = {"classes": 3, "frames": 4, "size": 32, "tubelet": (2, 8, 8), "width": WIDTH, "depth": 2, "heads": 2}
    return cls(**{**sizes, **options})


def test_a_picture_s_vit_in_model_1():
    state, network = picture_vit(), video(pool="cls")
    report = load_scenic(network, state)
    kernel = state["embedding/kernel"].permute(3, 2, 0, 1)
    assert torch.equal(network.tokenizer.projection.weight[:, :, 1], kernel)
    assert not network.tokenizer.projection.weight[:, :, 0].any()
    rows = state["Transformer/posembed_input/pos_embedding"][0]
    assert torch.equal(network.encoder.position.table, rows[1:].reshape(1, 4, 4, WIDTH).expand(2, 4, 4, WIDTH))
    assert torch.equal(network.encoder.class_token.position, rows[0])
    assert [line.split(" ")[0] for line in report.skipped] == ["output_projection/kernel", "output_projection/bias"]
    assert report.missing == ("head.logits.bias", "head.logits.weight")


@pytest.mark.parametrize("zero", [False, True])
def test_a_picture_s_vit_in_model_3(zero):
    network = video(mixer=[[TIME, SPACE]])
    load_scenic(network, picture_vit(), zero_time_attention=zero)
    over_time, over_space = network.blocks[0].mixers
    assert torch.equal(over_time.qkv.weight, over_space.qkv.weight)
    assert torch.equal(network.blocks[0].norms[0].weight, network.blocks[0].norms[1].weight)
    assert bool(over_time.projection.weight.any()) is not zero
    assert over_space.projection.weight.any()


def test_a_picture_s_vit_in_model_2_leaves_the_time_encoder():
    network = video(FactorisedEncoderViViT, pool="cls")
    report = load_scenic(network, picture_vit(classes=3))
    assert {name.split(".")[0] for name in report.missing} == {"time", "time_pool"}
    assert network.space.class_token.token.any()


def test_a_picture_s_vit_in_a_network_with_token_learner():
    report = load_scenic(video(token_learner=TokenLearnerOptions(after_block=1)), picture_vit(classes=3))
    assert all(name.startswith("encoder.token_learners.0.") for name in report.missing)
    assert [line.split(" ")[0] for line in report.skipped] == ["cls"]


def factorised(depth):
    return tensors(
        {
            **encoder_shapes("SpatialTransformer/", 17, 2),
            **encoder_shapes("TemporalTransformer/", 3, depth),
            "cls_SpatialTransformer": (1, 1, WIDTH),
            "cls_TemporalTransformer": (1, 1, WIDTH),
            "embedding/kernel": (2, 8, 8, 3, WIDTH),
            "embedding/bias": (WIDTH,),
            "output_projection/kernel": (WIDTH, 3),
            "output_projection/bias": (3,),
        }
    )


def test_the_depth_of_the_time_encoder_is_in_the_weights():
    state = factorised(12)
    assert time_depth(state) == 12
    with pytest.raises(CheckpointError, match=r"has 12 blocks, the network's 4: set `time_depth`"):
        load_scenic(video(FactorisedEncoderViViT, pool="cls"), state)
    assert not load_scenic(video(FactorisedEncoderViViT, pool="cls", time_depth=12), state).missing
    with pytest.raises(CheckpointError, match="build the network vivit_factorised"):
        load_scenic(video(pool="cls"), state)


def test_what_does_not_fit_is_named():
    with pytest.raises(CheckpointError, match="Transformer/encoderblock_1/"):
        load_scenic(video(depth=1), picture_vit())
    with pytest.raises(CheckpointError, match="does not fit the mixer Separable"):
        load_scenic(video(mixer={"name": "separable"}), picture_vit())
    with pytest.raises(CheckpointError, match="pre_logits"):
        load_scenic(video(), {**picture_vit(), "pre_logits/kernel": torch.ones(WIDTH, 4)})


@pytest.mark.parametrize("prefix", ["Transformer/", "SpatialTransformer/"])
def test_other_heads_are_an_error(prefix):
    """The kernels of queries are (d, heads, d / heads): what is flattened away is looked at before."""
    state = {key.replace("Transformer/", prefix): value for key, value in picture_vit().items()}
    cls = ViViT if prefix == "Transformer/" else FactorisedEncoderViViT
    if cls is FactorisedEncoderViViT:
        state["cls_SpatialTransformer"] = state.pop("cls")
        with pytest.raises(CheckpointError, match="made with 2 heads, the network has 3: set heads=2"):
            load_scenic(video(cls, heads=3, time_depth=0, frames=2), state)
        return
    with pytest.raises(CheckpointError, match="made with 2 heads, the network has 4: set heads=2"):
        load_scenic(video(heads=4), state)


def test_the_time_encoders_positions_are_those_of_its_steps():
    steps, width = 16, WIDTH
    space = {key.replace("Transformer/", "SpatialTransformer/"): value for key, value in picture_vit().items()}
    space["cls_SpatialTransformer"] = space.pop("cls")
    space["embedding/kernel"] = torch.randn(2, 8, 8, 3, width)
    time = tensors({**encoder_shapes("TemporalTransformer/", steps + 1, 1), "cls_TemporalTransformer": (1, 1, width)})
    table = torch.arange(steps + 1.0).view(1, -1, 1).expand(1, -1, width) - 1
    time["TemporalTransformer/posembed_input/pos_embedding"] = table
    network = video(FactorisedEncoderViViT, frames=16, pool="cls", time_depth=1)
    state = {**space, **time}
    load_scenic(network, state)
    # 16 steps are 4 x 4 too: the table must run from the first step to the last.
    want = torch.linspace(0, 15, 8).view(8, 1, 1, 1).expand(8, 1, 1, width)
    torch.testing.assert_close(network.time.position.table.detach(), want)
    load_scenic(network, state, source_grid=(16, 4, 4))
    with pytest.raises(CheckpointError, match=r"16 time steps, not the 8 of source_grid=\(8, 4, 4\)"):
        load_scenic(network, state, source_grid=(8, 4, 4))
    with pytest.raises(CheckpointError, match="made with 2 heads, the network has 3: set time_heads=2"):
        load_scenic(video(FactorisedEncoderViViT, frames=16, pool="cls", time_depth=1, time_heads=3), state)


def test_a_clip_s_positions_are_on_the_networks_grid_or_on_the_one_that_is_said():
    state = picture_vit()
    state["embedding/kernel"] = torch.randn(2, 8, 8, 3, WIDTH)  # a clip: its 16 places are no picture of 4 x 4
    with pytest.raises(CheckpointError, match="which grid of a clip these 16 positions"):
        load_scenic(video(pool="cls"), state)
    network = video(pool="cls")
    load_scenic(network, state, source_grid=(4, 2, 2))
    rows = state["Transformer/posembed_input/pos_embedding"][0, 1:].reshape(4, 2, 2, WIDTH)
    torch.testing.assert_close(network.encoder.position.table[0, 0, 0], rows[0, 0, 0])
    torch.testing.assert_close(network.encoder.position.table[-1, -1, -1], rows[-1, -1, -1])


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("vivit_m1_tiny", "vivit_m2_tiny", "tokenlearner_vit_video")
