"""What a run saves and gets back, by the names of its parameters."""

from copy import deepcopy

import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from tests.train.test_store import ALONE
from vidtok.errors import CheckpointError, NotFiniteError
from vidtok.train.checkpoint import save_checkpoint
from vidtok.train.ema import Averages
from vidtok.train.state import Progress, RunState, named_state, new_layers, numbered_state
from vidtok.train.store import Store


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
    first.progress.bad, first.progress.best = {"v3": "cut off"}, {"step": 2, "top1": 0.25}
    first.progress.stale, first.progress.segments = 2, (0, 1)
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


def poison(run, where, value):
    """Put a value that is not finite into one part of a run; the name that stands for it."""
    if where == "weight":
        run.model[2].bias.data[1] = value
        return "the weight 2.bias"
    if where == "statistics":
        run.model.register_buffer("mean", torch.tensor([0.0, value]))
        return "the weight mean"
    if where == "average":
        run.averages.state["2.weight"][0, 1] = value
        return "the average of 2.weight"
    state = run.optimizer.state[run.model[2].weight]
    key = next(key for key, moment in state.items() if isinstance(moment, torch.Tensor) and moment.ndim)
    state[key].flatten()[0] = value
    return f"the optimizer's {key} of 2.weight"


OPTIMIZERS = ["adamw", "momentum", "sgd", "lamb", "lion", "rmsprop", "adafactor", "nadamw", "adopt", "muon", "laprop"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["weight", "statistics", "average", "optimizer"])
def test_what_is_not_finite_is_named_and_never_saved(tmp_path, where, value):
    run, store = state(1), Store(folder=tmp_path, parallel=ALONE)
    step(run, 0)
    kept = store.save(run, config="", classes=())
    step(run, 1)
    name = poison(run, where, value)
    for save in (store.save, store.save_best):
        with pytest.raises(NotFiniteError, match=f"after step 2 {name} is not finite"):
            save(run, config="", classes=())
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizers_state_is_finite_and_looked_at(name):
    run = state(1, name)
    for at in range(3):
        step(run, at)
    run.check_finite(ALONE)
    found = poison(run, "optimizer", float("nan"))
    with pytest.raises(NotFiniteError, match=found):
        run.check_finite(ALONE)


@pytest.mark.parametrize("where", ["weight", "average", "optimizer"])
def test_a_checkpoint_that_is_not_finite_is_no_start(tmp_path, where):
    run = state(1)
    step(run, 0)
    name = poison(run, where, float("nan"))
    path = save_checkpoint(run.checkpoint(config="", classes=()), tmp_path)  # as versions before this one did
    store = Store(folder=tmp_path, parallel=ALONE)
    start = store.find_start(None)
    with pytest.raises(CheckpointError, match=f"{path}: after step 1 {name} is not finite"):
        store.restore(state(2), store.open(start), start)


def test_a_new_segment_keeps_its_own_groups_and_takes_what_fits():
    first = state(1)
    for at in range(3):
        step(first, at)
    first.progress.best, first.progress.stale = {"step": 2, "top1": 0.25}, 1
    saved = deepcopy(first.checkpoint(config="", classes=()))
    model = network(2)
    optimizer = create_optimizer_v2(
        [{"params": list(model.parameters()), "names": [], "new": False, "lr_scale": 3.0, "weight_decay": 0.5}],
        opt="adamw",
        lr=0.7,
    )
    second = RunState(model=model, optimizer=optimizer)
    second.restore(saved, source="x.pt", new_segment=True)
    assert second.progress == Progress(step=3, best={"step": 2, "top1": 0.25}, stale=0, segments=(0, 3))
    assert all(torch.equal(value, saved.model[name]) for name, value in model.state_dict().items())
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"], group["lr_scale"]) == (0.7, 0.5, 3.0)
    weights = dict(model.named_parameters())
    named = {name: optimizer.state[weight] for name, weight in weights.items() if weight in optimizer.state}
    assert named.keys() == saved.optimizer["state"].keys()  # "0.weight" was frozen before, and begins without moments
    assert all(torch.equal(own["exp_avg"], saved.optimizer["state"][name]["exp_avg"]) for name, own in named.items())
    assert RunState(model=model, optimizer=optimizer, progress=second.progress).checkpoint(
        config="", classes=()
    ).segments == (0, 3)

    other = RunState(model=network(2), optimizer=torch.optim.SGD(network(2).parameters(), lr=0.1))
    other.optimizer = torch.optim.SGD([{"params": list(other.model.parameters()), "names": [], "new": False}], lr=0.1)
    other.restore(saved, source="x.pt", new_segment=True, moments=False)
    assert not other.optimizer.state
    with pytest.raises(CheckpointError, match="does not have the parameters"):
        second.restore(saved, source="x.pt")


def test_a_new_segment_may_begin_and_end_averages():
    first = state(1)
    step(first, 0)
    plain = RunState(model=first.model, optimizer=first.optimizer, progress=first.progress)
    saved = deepcopy(plain.checkpoint(config="", classes=()))
    second = state(2)
    with pytest.raises(CheckpointError, match="averaged weights are not those of this model"):
        second.restore(saved, source="x.pt")
    second.restore(saved, source="x.pt", new_segment=True)
    assert all(torch.equal(second.averages.state[name], value) for name, value in saved.model.items())
    step(second, 1)
    again = state(3)
    again.averages = None
    again.restore(deepcopy(second.checkpoint(config="", classes=())), source="x.pt", new_segment=True)
    assert torch.equal(again.model[2].weight, second.model[2].weight)


def test_validations_since_the_best_are_counted():
    progress = Progress()
    found = []
    for progress.step, figure in enumerate((0.5, 0.4, 0.5, 0.6, 0.1)):
        progress.is_best({"top1": figure})
        found.append(progress.stale)
    assert found == [0, 1, 2, 0, 1]
