"""Norms of any network, folded by what it does."""

import copy

import torch
from timm.layers import BatchNormAct2d
from torch import nn

from vidtok.nn.flow import fold_norms, watched


class Net(nn.Module):
    """Convolutions whose results a norm alone sees, a norm and a sum, two norms; and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(5))
        self.norms = nn.ModuleList([BatchNormAct2d(3), *(nn.BatchNorm2d(3) for _ in range(5))])
        self.blind = nn.BatchNorm2d(3, track_running_stats=False)
        for norm in self.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.norms[0](self.convs[0](x))
        y = self.convs[1](x)
        x = self.norms[1](y) + y
        y = self.convs[2](x)
        x = self.norms[2](y) + self.norms[3](y)
        x = self.norms[4](self.convs[3](self.convs[3](x)))
        x = self.blind(self.convs[4](x))
        return self.norms[5](x.relu())


@torch.no_grad()
def test_a_norm_is_folded_where_it_alone_sees_what_a_convolution_puts_out():
    torch.manual_seed(0)
    network, x = Net().eval(), torch.randn(2, 3, 8, 8)
    want = network(x)
    shadow = copy.deepcopy(network).to("meta")
    folded = {}
    for name, depth_of in (("one depth", lambda path: 0), ("apart", lambda path: path.startswith("conv"))):
        folded[name] = copy.deepcopy(network)
        seen = watched(lambda: shadow(x.to("meta")))
        assert seen.largest == x.numel()
        count = fold_norms(folded[name], shadow=shadow, seen=seen, depth_of=depth_of)
        torch.testing.assert_close(folded[name](x), want)
        assert count == (name == "one depth")
    kinds = [type(norm) for norm in folded["one depth"].norms]
    assert kinds == [nn.ReLU, *[nn.BatchNorm2d] * 5]

    def cannot():
        raise NotImplementedError("no such thing on meta")

    assert watched(cannot) is None
