from typing import ClassVar

import pytest
import torch

from tests.models.contract import gives_what_the_official_code_gave
from vidtok.errors import ModelError
from vidtok.nn.encoder import Encoder, mixers_of_blocks
from vidtok.nn.mixers.registry import MIXERS, register
from vidtok.nn.token_learner import TokenLearnerOptions

A, B = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}
GRID = (2, 3, 4)


def encoder(**options):
    torch.manual_seed(0)
    return Encoder(12, **{"grid": GRID, "depth": 3, "heads": 2, **options}).eval()


def test_patterns_of_mixers():
    assert mixers_of_blocks(A, 3) == [(A,)] * 3
    assert mixers_of_blocks([A, B], 4) == [(A,), (B,), (A,), (B,)]
    assert mixers_of_blocks([[A, B]], 2) == [(A, B), (A, B)]
    assert mixers_of_blocks([[A, B], A], 2) == [(A, B), (A,)]
    assert mixers_of_blocks([A, B, A], 0) == []
    with pytest.raises(ModelError, match="2 mixers does not fill 3 blocks"):
        mixers_of_blocks([A, B], 3)


def test_options_that_take_turns():
    @register("turning")
    class Turning(torch.nn.Module):
        alternates: ClassVar = {"side": ("left", "right", "both")}

    try:
        sides = [specs[0]["side"] for specs in mixers_of_blocks({"name": "turning"}, 4)]
        assert sides == ["left", "right", "both", "left"]
        assert mixers_of_blocks({"name": "turning", "side": "both"}, 1) == [({"name": "turning", "side": "both"},)]
    finally:
        del MIXERS["turning"]


def test_the_parts_come_in_their_order():
    model = encoder(token_learner=TokenLearnerOptions(after_block=1, tokens=3))
    x = torch.randn(2, *GRID, 12)
    y = model.blocks[0](x + model.position.table)
    want = model.blocks[2](model.blocks[1](model.token_learners[0](y)))
    torch.testing.assert_close(model(x), want)


def test_with_a_fuser_the_grid_comes_back_after_each_block():
    model = encoder(token_learner=TokenLearnerOptions(after_block=1, tokens=3, fuse=True))
    for fuser in model.token_fusers:
        torch.nn.init.normal_(fuser.mix.weight)
    x = torch.randn(2, *GRID, 12)
    y = model.blocks[0](x + model.position.table)
    for k in range(2):
        y = y + model.token_fusers[k](model.blocks[k + 1](model.token_learners[k](y)), y)
    assert model(x).shape == x.shape
    torch.testing.assert_close(model(x), y)


def test_the_class_token_stands_before_the_grid():
    model, x = encoder(class_token=True), torch.randn(2, *GRID, 12)
    y = model.class_token(x + model.position.table)
    for block in model.blocks:
        y = block(y)
    assert y.shape == (2, 25, 12)
    torch.testing.assert_close(model(x), y)


def test_a_class_token_has_a_position_where_positions_are_learned():
    assert encoder(class_token=True).class_token.position is not None
    assert encoder(class_token=True, position="sincos_flat").class_token.position is None


def test_positions_are_dropped_out_with_their_tokens():
    model = encoder(dropout=1.0, depth=1).train()
    for norm in (model.blocks[0].norms[0], model.blocks[0].mlp_norm):
        torch.nn.init.zeros_(norm.weight)
    assert not model(torch.randn(2, *GRID, 12)).any()


def test_token_fusers_come_with_their_norms_or_without():
    for given, normalised in ((None, True), (True, True), (False, False)):
        options = TokenLearnerOptions(after_block=1, tokens=2, fuse=True, use_normalization=given)
        assert [fuser.use_normalization for fuser in encoder(token_learner=options).token_fusers] == [normalised] * 2
    with pytest.raises(ModelError, match=r"use_normalization is TokenFuser's: it needs token_learner\.fuse=true"):
        encoder(token_learner=TokenLearnerOptions(after_block=1, use_normalization=False))


def test_attention_is_the_class_token_s_where_it_alone_goes_on_and_all_queries_mean_elsewhere():
    x = torch.randn(2, *GRID, 12)
    with torch.no_grad():
        for options in ({}, {"class_token": True}):
            model = encoder(depth=1, **options)
            (found,) = model.attention(x)
            tokens = model.position(x)
            tokens = model.class_token(tokens) if options else tokens.flatten(1, 3)
            block = model.blocks[0]
            weights = block.mixers[0].attention_map(block.norms[0](tokens))[0].mean(1)
            wanted = weights[:, 0] if options else weights.mean(1)
            torch.testing.assert_close(found.maps.flatten(1), wanted[:, -24:])
            assert found.query == ("the class token" if options else "mean over all tokens")
            assert found.place.startswith("block 1 of 1, ")
        (found,) = encoder(depth=1, mixer=[[B, A]]).attention(x)
    assert found.place.endswith(" (what follows looks along time alone)")


APART = {"mixer": B, "position": "learned_separable", "token_learner": TokenLearnerOptions(after_block=2, tokens=3)}


def test_time_comes_where_time_steps_first_meet():
    model, x = encoder(**APART), torch.randn(2, *GRID, 12)
    y = model.blocks[1](model.blocks[0](x + model.position.table))
    kept = model.token_learners[0](y)
    with torch.no_grad():
        torch.testing.assert_close(model.alone(x), kept)
        torch.testing.assert_close(model.alone(x[:, 1:]), kept[:, 1:])
        torch.testing.assert_close(model(x), model.blocks[2](kept + model.time_position.table[:, 0]))
    assert model.why_together() == []
    early = encoder(**{**APART, "mixer": A})
    with torch.no_grad():
        tokens = x + early.position.table + early.time_position.table
        tokens = early.token_learners[0](early.blocks[1](early.blocks[0](tokens)))
        torch.testing.assert_close(early(x), early.blocks[2](tokens))
    mixed = encoder(**{**APART, "mixer": [B, A]})
    assert mixed.meet_at == 1
    with torch.no_grad():
        tokens = mixed.blocks[1](mixed.blocks[0](x + mixed.position.table) + mixed.time_position.table)
        torch.testing.assert_close(mixed(x), mixed.blocks[2](mixed.token_learners[0](tokens)))
    token = encoder(position="learned_separable", class_token=True, depth=1)
    with torch.no_grad():
        tokens = token.class_token(x + token.position.table + token.time_position.table)
        torch.testing.assert_close(token(x), token.blocks[0](tokens))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({**APART, "position": "learned"}, ["(learned) tell each token its time", "`position`=learned_separable"]),
        ({**APART, "position": "sincos_flat"}, ["(sincos_flat) tell each token", "`position`=sincos_separable"]),
        ({**APART, "mixer": A}, ["in its first block (mhsa (axes=time))", "axes: space} up to a `token_learner`"]),
        ({"class_token": True, "mixer": {"name": "mhsa"}}, ["its class token looks at every time step", "`pool`=mean"]),
        ({**APART, "token_learner": TokenLearnerOptions(after_block=0, fuse=True)}, ["in its first block (mhsa)"]),
    ],
)
def test_what_keeps_time_steps_together_is_said(options, told):
    (words,) = encoder(**options).why_together()
    assert all(part in words for part in told), words


def test_time_that_nobody_looks_over_is_refused():
    with pytest.raises(ModelError, match=r"but no block looks over time: set `position`=sincos_3d"):
        encoder(mixer=B, position="sincos_separable")
    assert encoder(mixer=B, position="none").why_together() == []


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("vivit_m3_tiny_time_space", "tokenlearner_vit_video_fuser")


def test_rates_rise_from_block_to_block():
    rates = [block.drop_path.drop_prob for block in encoder(drop_path=0.4).blocks]
    assert rates == pytest.approx([0.0, 0.2, 0.4])
    assert [block.drop_path.drop_prob for block in encoder(drop_path=0.4, depth=1).blocks] == [0.0]
    plain = encoder()
    assert [block.drop_path.drop_prob for block in plain.blocks] == [0.0] * 3
    assert [block.drop_path.scale_by_keep for block in plain.blocks] == [False] * 3
    assert [block.drop_path.scale_by_keep for block in encoder(drop_path_rescale=True).blocks] == [True] * 3
    assert {module.p for module in plain.modules() if isinstance(module, torch.nn.Dropout)} == {0.0}


def test_what_stands_beside_the_blocks_has_the_depth_of_what_it_serves():
    apart = encoder(**APART)
    assert list(apart.beside_blocks()) == [
        (apart.position, 0),
        (None, 0),
        (apart.time_position, 3),
        (apart.token_learners[0], 3),
    ]
    token = encoder(position="learned_separable", class_token=True)
    assert list(token.beside_blocks()) == [(token.position, 0), (token.class_token, 0), (token.time_position, 0)]
    fused = encoder(token_learner=TokenLearnerOptions(after_block=1, tokens=3, fuse=True))
    layers = [*zip(fused.token_learners, (2, 3), strict=True), *zip(fused.token_fusers, (2, 3), strict=True)]
    assert list(fused.beside_blocks())[3:] == layers


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"token_learner": TokenLearnerOptions(after_block=3)},
            "TokenLearner after block 3 of 3 does nothing: set `token_learner.after_block` to 0 … 2",
        ),
        (
            {"token_learner": TokenLearnerOptions(after_block=0), "class_token": True},
            "TokenLearner leaves no place for a class token: set `pool`=mean",
        ),
        (
            {"class_token": True, "mixer": [{"name": "mhsa"}, {"name": "mhsa"}, B]},
            r"mixer \(name=mhsa, axes=space\) of block 2 needs the grid, where no class token stands: set `pool`=mean",
        ),
        (
            {"token_learner": TokenLearnerOptions(after_block=1), "token_mixer": B},
            r"mixer \(name=mhsa, axes=space\) of block 1 needs the grid, but TokenLearner has left learned tokens",
        ),
        ({"mixer": []}, "a pattern of 0 mixers does not fill 3 blocks"),
        ({"mixer": [[]]}, "block 0 has no mixer; give at least one"),
    ],
)
def test_combinations_that_cannot_work_say_what_to_set(options, words):
    with pytest.raises(ModelError, match=words):
        encoder(**options)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_attention_among_learned_tokens_is_spread_over_their_places(version):
    model = encoder(token_learner=TokenLearnerOptions(after_block=1, tokens=3, version=version))
    x = torch.randn(2, *GRID, 12)
    with torch.no_grad():
        learned, mixed = model.attention(x)
        y = model.blocks[0](x + model.position.table)
        torch.testing.assert_close(learned.maps, model.token_learners[0].maps(y))
        tokens = model.blocks[1](model.token_learners[0](y))
        block = model.blocks[2]
        shares = block.mixers[0].attention_map(block.norms[0](tokens))[0].mean((1, 2)).view(2, 2, 3)
    per_place = learned.maps / learned.maps.sum((-2, -1), keepdim=True)
    torch.testing.assert_close(mixed.maps, torch.einsum("bts,btshw->bthw", shares, per_place))
    assert (learned.place, learned.query) == ("TokenLearner before block 2 of 3", "each learned token")
    assert learned.meaning.endswith(", 1 over each time step" if version == "1.1" else ", 0 to 1")
    assert (mixed.place, mixed.query) == ("block 3 of 3, mhsa", "mean over all learned tokens")
    assert mixed.meaning.endswith(", spread over the places of each learned token")
    fused = encoder(token_learner=TokenLearnerOptions(after_block=1, tokens=3, fuse=True))
    with torch.no_grad():
        learned, _ = fused.attention(x)
        y = x + fused.position.table
        y = fused.blocks[0](y)
        y = y + fused.token_fusers[0](fused.blocks[1](fused.token_learners[0](y)), y)
        torch.testing.assert_close(learned.maps, fused.token_learners[1].maps(y))
    assert learned.place == "TokenLearner before block 3 of 3"
