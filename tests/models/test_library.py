"""What networks of other libraries share: their clip's order of axes, and their tokens with channels last."""

import torch
from einops import rearrange
from torch import nn

from vidtok.models.library import LibraryNetwork


class Body(nn.Module):
    """Takes `b c f y x`; its pooling changes the entries of a list, as some libraries' do."""

    def __init__(self, *, listed: bool):
        super().__init__()
        self.listed = listed
        self.conv = nn.Conv3d(3, 5, (1, 2, 2), stride=(1, 2, 2))
        self.last = nn.Identity()

    def forward(self, x):
        maps = self.conv(x)
        if self.listed:
            parts = self.last([maps])
            parts[0] = parts[0].mean((2, 3, 4))
            return parts[0]
        return self.last(maps).mean((2, 3, 4))


class Small(LibraryNetwork):
    def __init__(self, *, listed: bool = False):
        super().__init__(frames=2, size=(4, 6))
        self.body = Body(listed=listed)

    @property
    def blocks(self):
        return (self.body.conv,)

    def beside_blocks(self):
        return ()

    @property
    def before_pooling(self):
        return self.body.last

    def reset_classifier(self, classes: int) -> None:
        raise NotImplementedError


class Listed(Small):
    """Two pathways whose maps stand in a list, of which the first is shown."""

    def arranged(self, output, *, depth, clips):
        return super().arranged(output[0], depth=depth, clips=clips)


def clip() -> torch.Tensor:
    return torch.randn(2, 2, 3, 4, 6, generator=torch.Generator().manual_seed(0))


def test_frames_come_behind_colours_and_tokens_have_channels_last():
    network, x = Small(), clip()
    with torch.no_grad():
        maps = network.body.conv(rearrange(x, "b f c y x -> b c f y x"))
        torch.testing.assert_close(network.logits(x), maps.mean((2, 3, 4)))
        assert torch.equal(network.tokens(x), rearrange(maps, "b d t h w -> b t h w d"))


def test_the_hook_is_taken_away():
    network = Small()
    network.tokens(clip())
    assert not network.body.last._forward_hooks


def test_a_list_is_kept_as_it_was_before_the_pooling_changed_it():
    network, x = Listed(listed=True), clip()
    with torch.no_grad():
        maps = network.body.conv(rearrange(x, "b f c y x -> b c f y x"))
        assert torch.equal(network.tokens(x), rearrange(maps, "b d t h w -> b t h w d"))


def test_blocks_that_hand_on_their_grid_give_tokens_alone():
    network, tokens = Small(), torch.randn(2, 7, 5)
    assert network.arranged((tokens, (1, 2, 3)), depth=1, clips=2) is tokens
    assert network.arranged(tokens, depth=1, clips=2) is tokens
