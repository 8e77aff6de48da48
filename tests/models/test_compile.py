"""torch.export and torch.compile, in a process of its own: dynamo cannot trace the shape checks of the test run."""

import subprocess
import sys

import pytest

PROGRAM = """
import torch
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.token_learner import TokenLearnerOptions

torch.manual_seed(0)
sizes = dict(classes=5, frames=4, size=32, tubelet=(2, 8, 8), width=24, depth=2, heads=2)
time, space = dict(name="mhsa", axes="time"), dict(name="mhsa", axes="space")
networks = [
    ViViT(**sizes, pool="cls"),
    ViViT(**sizes, mixer=[[time, space]]),
    ViViT(**sizes, mixer=dict(name="mhsa", axes="split")),
    ViViT(**sizes, token_learner=TokenLearnerOptions(after_block=1)),
    ViViT(**sizes, token_learner=TokenLearnerOptions(after_block=0, fuse=True, version="1.0")),
    FactorisedEncoderViViT(**sizes),
]
x = torch.randn(2, 4, 3, 32, 32)
for network in networks:
    torch.nn.init.normal_(network.head.logits.weight)
    network.eval()
    want = network(x)
    HOW
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
print("same", len(networks))
"""


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("got = torch.export.export(network, (x,)).module()(x)", id="export"),
        pytest.param(
            'got = torch.compile(network, fullgraph=True, backend="eager")(x)', id="compile", marks=pytest.mark.slow
        ),
    ],
)
def test_exported_and_compiled_networks_give_the_same(how):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("HOW", how)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout == "same 6\n", done.stderr
