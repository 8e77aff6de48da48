"""What a run saves and gets back, by the names of its parameters."""

from copy import deepcopy

import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from vidtok.errors import CheckpointError
from vidtok.train.ema import Averages
from vidtok.train.state import Progress, RunState, named_state, new_layers, numbered_state


def groups(model, *, new=()):
    """Two groups in another order than the model's, with a frozen layer outside of them."""
    weights = dict(model.named_parameters())
    weights["0.weight"].requires_grad_(False)
    return [
        {
            "params": [weights["2.bias"], weights["0.bias"]],
            "names": ["2.bias", "0.bias"],
            "new": False,
            "lr_scale": 0.5,
        },
        {"params": [weights["2.weight"]], "names": ["2.weight"], "new": bool(new), "lr_scale": 1.0},
    ]


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))


def state(seed, name="adamw", **options):
    model = network(seed)
    optimizer = create_optimizer_v2(groups(model, **options), opt=name, lr=0.1)
    return RunState(model=model, optimizer=optimizer, averages=Averages(model, decay=0.5))


def step(run, at):
    run.optimizer.zero_grad()
    run.model(torch.randn(5, 3, generator=torch.Generator().manual_seed(at))).square().mean().backward()
    run.optimizer.step()
    run.averages.update(run.model, updates=at + 1)
    run.progress.step = at + 1


@pytest.mark.parametrize("name", ["adamw", "momentum", "sgd", "lamb", "lion", "rmsprop"])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_restored_run_goes_on_bitwise(name, steps):
    first, second = state(1, name), state(2, name)
    for at in range(steps):
        step(first, at)
    first.progress.bad, first.progress.best = {3: "cut off"}, {"step": 2, "top1": 0.25}
    second.restore(deepcopy(first.checkpoint(config="", classes=())), source="x.pt")  # a file holds copies
    assert second.progress == first.progress
    for run in (first, second):
        for at in range(steps, steps + 3):
            step(run, at)
    for one, other in ((first.model, second.model), (first.averages, second.averages)):
        states = [part.state if isinstance(part, Averages) else part.state_dict() for part in (one, other)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(first.model[2].weight, network(1)[2].weight)


def test_the_optimizer_is_saved_by_names():
    run = state(1)
    step(run, 0)
    named = named_state(run.optimizer, run.model)
    assert [group["params"] for group in named["param_groups"]] == [["2.bias", "0.bias"], ["2.weight"]]
    assert named["state"].keys() == {"2.bias", "0.bias", "2.weight"}
    assert named["state"]["2.weight"]["exp_avg"].shape == (2, 4)
    numbered = numbered_state(named, run.optimizer, run.model, source="x.pt")
    assert [group["params"] for group in numbered["param_groups"]] == [[0, 1], [2]]
    assert numbered["state"].keys() == {0, 1, 2}


def test_an_optimizer_of_other_parameters_is_refused():
    run = state(1)
    saved = run.checkpoint(config="", classes=())
    saved.optimizer["param_groups"][0]["params"][0] = "3.bias"
    with pytest.raises(
        CheckpointError, match=r"x\.pt: its optimizer does not have the parameters that this run trains"
    ):
        run.restore(saved, source="x.pt")


def test_new_layers_are_remembered():
    saved = state(1, new=("2.weight",)).checkpoint(config="", classes=())
    assert new_layers(saved.optimizer) == {"2.weight"}


def test_the_best_validation_is_the_highest_and_the_first_of_equals():
    progress = Progress(step=2)
    assert progress.is_best({"top1": 0.5, "top5": 0.9})
    progress.step = 4
    assert not progress.is_best({"top1": 0.5, "top5": 1.0})
    assert progress.best == {"step": 2, "top1": 0.5}
    assert progress.is_best({"top1": 0.75, "top5": 0.1})
    assert progress.best == {"step": 4, "top1": 0.75}
