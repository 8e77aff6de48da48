"""torch.compile, in a process of its own: dynamo cannot trace the shape checks of the test run.

Export with a free batch is asked of every network in test_network.
"""

import subprocess
import sys

import pytest

from tests.models.networks import LIBRARIES, OWN

# One recompiled function per process is the limit that torch sets; a network has functions that others have too.
PROGRAM = """
import sys
import torch
from tests.models.networks import ALL, clip_of, filled
for name in sys.argv[1:]:
    torch.compiler.reset()
    network = filled(name)
    clip = clip_of(network)
    with torch.no_grad():
        got = torch.compile(network, fullgraph=True, backend="eager")(clip)
        torch.testing.assert_close(got, network(clip), rtol=1e-4, atol=1e-5)
    print(name)
"""
# A class token, time steps by themselves, TokenLearner and each mixer lead through code that others do not.
ONE_OF_A_KIND = [
    "vivit, class token",
    "vivit, Model 3",
    "vivit, Model 4",
    "vivit, TokenFuser",
    "vivit, super_token",
    "factorised, TokenLearner",
    "stvit",
    "maxvit",
    "casvit, two heads",
    "x3d tokens",
]


@pytest.mark.slow
def test_compiled_networks_have_one_graph_and_give_the_same():
    assert {*OWN, *LIBRARIES} >= set(ONE_OF_A_KIND)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *ONE_OF_A_KIND], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout.splitlines() == ONE_OF_A_KIND, done.stderr[-3000:]
