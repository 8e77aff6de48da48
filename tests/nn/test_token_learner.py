import math

import numpy as np
import pytest
import torch

from tests.models.contract import gives_what_the_official_code_gave
from vidtok.errors import ModelError
from vidtok.nn.token_learner import TokenFuser, TokenLearner


def gelu(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def normed(norm, token):
    centred = token - token.mean()
    return centred / torch.sqrt((centred**2).mean() + 1e-6) * norm.weight + norm.bias


def shaken(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return module.double().eval()


def perceptron(mlp, token):
    hidden = [gelu(float(v)) for v in mlp.expand.weight @ token + mlp.expand.bias]
    return mlp.contract.weight @ torch.tensor(hidden, dtype=torch.float64) + mlp.contract.bias


def test_version_1_1_equals_the_loops():
    learner = shaken(TokenLearner(6, tokens=3, bottleneck=5))
    x = torch.randn(2, 2, 3, 4, 6, dtype=torch.float64)
    with torch.no_grad():
        want = torch.zeros(2, 2, 3, 6, dtype=torch.float64)
        for b, t in np.ndindex(2, 2):
            logits = {p: perceptron(learner.weigh, normed(learner.norm, x[b, t][p])) for p in np.ndindex(3, 4)}
            for s in range(3):
                total = sum(math.exp(v[s]) for v in logits.values())
                for place, value in logits.items():
                    want[b, t, s] += math.exp(value[s]) / total * x[b, t][place]
        torch.testing.assert_close(learner(x), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_version_1_0_equals_the_loops(pooling):
    learner = shaken(TokenLearner(4, tokens=2, version="1.0", pooling=pooling))
    x = torch.randn(1, 2, 3, 4, 4, dtype=torch.float64)
    kernels = [layer.weight for layer in learner.weigh if isinstance(layer, torch.nn.Conv2d)]
    with torch.no_grad():
        want = torch.zeros(1, 2, 2, 4, dtype=torch.float64)
        for t in range(2):
            layer = {p: normed(learner.norm, x[0, t][p]) for p in np.ndindex(3, 4)}
            for number, kernel in enumerate(kernels):
                following = {}
                for h, w in np.ndindex(3, 4):
                    value = torch.zeros(2, dtype=torch.float64)
                    for dh, dw in np.ndindex(3, 3):
                        neighbour = layer.get((h + dh - 1, w + dw - 1))
                        if neighbour is not None:
                            value += kernel[:, :, dh, dw] @ neighbour
                    following[h, w] = torch.tensor([gelu(float(v)) for v in value]).double() if number < 3 else value
                layer = following
            for s in range(2):
                for place, value in layer.items():
                    want[0, t, s] += x[0, t][place] / (1 + math.exp(-value[s]))
        if pooling == "mean":
            want /= 12
        torch.testing.assert_close(learner(x), want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_maps_are_laid_out_as_places(version):
    """A grid where one place stands out: the maps differ there, and time steps do not see each other."""
    learner = shaken(TokenLearner(8, tokens=4, version=version))
    x = torch.randn(1, 3, 5, 6, 8, dtype=torch.float64)
    changed = x.clone()
    changed[0, 1, 4, 2] += 3
    with torch.no_grad():
        maps, other = learner.maps(x), learner.maps(changed)
    assert maps.shape == (1, 3, 4, 5, 6)
    assert torch.equal(maps[:, [0, 2]], other[:, [0, 2]])
    if version == "1.1":
        torch.testing.assert_close(maps.sum(dim=(3, 4)), torch.ones(1, 3, 4, dtype=torch.float64))
        ratio = (other / maps)[0, 1]
        ratio[:, 4, 2] = ratio[:, 0, 0]
        # Softmax: all places but the changed one scale by the same factor.
        torch.testing.assert_close(ratio, ratio[:, :1, :1].expand(4, 5, 6))
    else:
        assert bool(((maps > 0) & (maps < 1)).all())
        # Four 3x3 convolutions reach four places far.
        assert not torch.equal(maps[0, 1], other[0, 1])


def test_options_of_the_other_version_are_refused():
    with pytest.raises(ModelError, match="no bottleneck"):
        TokenLearner(8, version="1.0", bottleneck=64)
    with pytest.raises(ModelError, match="no pooling"):
        TokenLearner(8, pooling="mean")
    with pytest.raises(ModelError, match="no dropout"):
        TokenLearner(8, version="1.0", dropout=0.1)
    with pytest.raises(ModelError, match="at least 1"):
        TokenLearner(8, tokens=0)


@pytest.mark.parametrize("normalise", [True, False])
def test_token_fuser_equals_the_loops(normalise):
    fuser = shaken(TokenFuser(6, tokens=3, bottleneck=5, use_normalization=normalise))
    assert len([name for name, _ in fuser.named_parameters() if name.startswith(("before", "behind"))]) == 4 * normalise
    tokens, grid = torch.randn(1, 2, 3, 6, dtype=torch.float64), torch.randn(1, 2, 2, 4, 6, dtype=torch.float64)
    with torch.no_grad():
        got = fuser(tokens, grid)
        for t in range(2):
            first = [normed(fuser.before, tokens[0, t, s]) if normalise else tokens[0, t, s] for s in range(3)]
            mixed = [sum(fuser.mix.weight[s, r] * first[r] for r in range(3)) + fuser.mix.bias[s] for s in range(3)]
            mixed = [normed(fuser.behind, token) if normalise else token for token in mixed]
            for h, w in np.ndindex(2, 4):
                weights = torch.sigmoid(perceptron(fuser.weigh, normed(fuser.norm, grid[0, t, h, w])))
                want = sum(weights[s] * mixed[s] for s in range(3))
                torch.testing.assert_close(got[0, t, h, w], want, rtol=1e-10, atol=1e-12)


def test_a_new_token_fuser_adds_nothing():
    assert not TokenFuser(6, tokens=3)(torch.randn(1, 2, 3, 6), torch.randn(1, 2, 2, 2, 6)).any()


def test_one_token_is_enough_and_none_is_not():
    assert TokenLearner(8, tokens=1)(torch.randn(2, 3, 4, 4, 8)).shape == (2, 3, 1, 8)
    with pytest.raises(ModelError, match="at least 1 token for each time step, got 0"):
        TokenLearner(8, tokens=0)


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("tokenlearner_v10", "tokenlearner_v10_mean", "tokenlearner_v11", "tokenfuser")
