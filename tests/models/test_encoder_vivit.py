"""ViViT's layers on an encoder's grid: what comes in, and whose depth is whose."""

import torch

from tests.models.contract import keeps_the_contract
from tests.models.networks import BEHIND, LEARNED, clip_of
from vidtok.models.encoder_vivit import EncoderViViT


def test_the_blocks_stand_on_the_encoder_s_grid():
    torch.manual_seed(0)
    network = EncoderViViT(**BEHIND, classes=3).eval()
    torch.nn.init.normal_(network.head.logits.weight)
    x = clip_of(network)
    with torch.no_grad():
        grid = network.encoder.tokens(x)
        tokens = network.behind(network.enter(grid))
        assert tokens.shape == (2, *network.grid, BEHIND["width"])
        torch.testing.assert_close(network(x), network.head(network.pool(tokens)))
        torch.testing.assert_close(network.features(x, depths=[len(network.blocks)])[0], tokens)
    assert network.grid == network.encoder.grid == (2, 4, 4)


def test_without_a_width_tokens_keep_the_encoder_s():
    network = EncoderViViT(**{**BEHIND, "width": None}, classes=3)
    assert network.enter[1].out_features == network.encoder.token_width == 64


def test_depths_count_the_encoder_s_blocks_first():
    network = EncoderViViT(**BEHIND, classes=3, token_learner=LEARNED)
    first, tell = len(network.encoder.blocks), network.group_matcher()
    assert len(network.blocks) == first + 2
    assert tell("encoder.body.pos_embed") == 0
    assert {tell(name) for name in ("encoder.body.norm.weight", "enter.1.weight", "behind.position.table")} == {
        first + 1
    }
    assert tell("behind.token_learners.0.mlp.fc1.weight") == first + 2
    assert tell("head.logits.weight") == first + 3


def test_where_nothing_follows_the_encoder_shows_where_it_looks():
    x = torch.zeros(1, 2, 3, 64, 64)
    assert "last grid" in EncoderViViT(**{**BEHIND, "depth": 0}, classes=3).attention(x)[0].place
    assert "block 2 of 2" in EncoderViViT(**BEHIND, classes=3).attention(x)[0].place


def test_the_contract():
    keeps_the_contract("encoder_vivit")
