"""TokenLearner as a probe: its formula, that a budget takes the first tokens alone, and what it refuses."""

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.nn.token_probe import TokenLearnerProbe


def probe(**options) -> TokenLearnerProbe:
    torch.manual_seed(0)
    made = TokenLearnerProbe(5, classes=3, frames=4, **{"tokens": 4, "width": 6, "heads": 2, **options})
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return made.double().eval()


def maps() -> torch.Tensor:
    return torch.randn(2, 4, 3, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("budget", [1, 3, 4])
def test_a_budget_is_the_probe_of_the_first_tokens_alone(budget):
    """The same weights in a probe that has no more tokens give the same logits."""
    whole, x = probe(), maps()
    few = probe(tokens=budget)
    state = dict(whole.state_dict())
    state["position"] = state["position"][:, :budget]
    for kind in ("weight", "bias"):
        state[f"learner.weigh.contract.{kind}"] = state[f"learner.weigh.contract.{kind}"][:budget]
    few.load_state_dict(state)
    torch.testing.assert_close(whole(x, tokens=budget), few(x), rtol=1e-12, atol=1e-14)
    assert torch.equal(whole(x, tokens=4), whole(x))
    assert budget == 4 or not torch.allclose(whole(x, tokens=budget), whole(x))


def test_the_logits_are_those_of_the_formula():
    own, x = probe(depth=2), maps()
    learned = own.learner(x)
    tokens = torch.stack(
        [
            torch.stack([own.enter(learned[b, t, s]) + own.position[t, s] for t in range(4) for s in range(4)])
            for b in range(2)
        ]
    )
    tokens = own.norm(own.blocks[1](own.blocks[0](tokens)))
    torch.testing.assert_close(own(x), own.head(tokens.sum(1) / 16), rtol=1e-10, atol=1e-12)
    assert not torch.allclose(own(x), own(x.flip(1))), "frames have an order"


def test_what_cannot_be_is_refused():
    with pytest.raises(ModelError, match="1 to 4 learned tokens for each frame, asked for 5"):
        probe()(maps(), tokens=5)
    with pytest.raises(ModelError, match="asked for 0"):
        probe()(maps(), tokens=0)
    with pytest.raises(ModelError, match="for 4 frames, the clip has 3"):
        probe()(maps()[:, :3])
