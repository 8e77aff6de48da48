"""Sharded and replicated runs of two real processes over gloo, held against one process."""

import pytest
import torch
from torch import nn

from tests.ranks import run_ranks
from tests.train.workers import FORMS, SHORT, SHORT_FORMS, STEPS, equal, go, make_state, results, resume, work
from vidtok.train.fsdp import _has_batch_norm
from vidtok.train.parallel import Parallel
from vidtok.train.store import Store

ALONE = Parallel(device=torch.device("cpu"))


def launch(part, folder, processes=2):
    done = run_ranks(work, part, folder, processes=processes)
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "found.pt", weights_only=True)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A folder with the checkpoint that one process saved after three steps, and where it stood after six."""
    folder = tmp_path_factory.mktemp("processes")
    state = make_state(ALONE)
    go(state, ALONE, folder / "log one", steps=3)
    Store(folder=folder / "one", parallel=ALONE).save(state, config="c: 1", classes=("a",))
    go(state, ALONE, folder / "log one", steps=6)
    return folder, results(state)


@pytest.fixture(scope="module")
def two(one):
    return launch("quick", one[0])


@pytest.fixture(scope="module")
def two_long(tmp_path_factory):
    return launch("whole", tmp_path_factory.mktemp("long"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process comes to, by network, type and steps; made when it is asked for, once."""
    made = {}

    def of(network, dtype, steps):
        if (key := (network, dtype, steps)) not in made:
            folder, forms = tmp_path_factory.mktemp("alone"), [("ddp", 1)]
            found = equal(ALONE, folder, network=network, forms=forms, dtypes=[dtype], steps=steps)
            (made[key],) = found.values()
        return made[key]

    return of


def distance(found, expected):
    """The largest difference between two runs' weights, averages or moments."""
    assert found.keys() == expected.keys()
    gaps = []
    for part in expected:
        assert found[part].keys() == expected[part].keys()
        gaps += [float((found[part][name] - value).abs().max()) for name, value in expected[part].items()]
    return max(gaps)


@pytest.mark.slow
def test_whole_weights_let_each_process_test_as_much_as_it_has(two):
    assert two["evaluation"] == [True] * 8


def test_under_autocast_weights_and_residual_stream_stay_in_float32(two):
    assert two["bfloat16"]["seen"] == ["torch.float32", "torch.float32"]
    assert two["bfloat16"]["kept"] == ["torch.float32"]
    assert 0 < two["bfloat16"]["gap"] < 0.1


@pytest.mark.gpu
def test_on_gpus_blocks_compute_in_bfloat16_and_norms_are_synchronised(tmp_path):
    both = launch("on_gpu", tmp_path, processes=min(torch.cuda.device_count(), 2))
    assert both["synchronised"] < 1e-5
    found = both["bfloat16"]
    assert found["seen"] == ["torch.bfloat16", "torch.float32"]
    assert found["kept"] == ["torch.float32"]
    assert 0 < found["gap"] < 0.1


def test_blocks_are_sharded_and_computed_again(two):
    assert two["recomputed"]


def assert_equal_float64(found, expected, steps):
    (losses, state), (expected_losses, expected_state) = found, expected
    assert len(losses) == steps
    assert losses == pytest.approx(expected_losses, abs=1e-6)
    assert distance(state, expected_state) < 1e-9
    assert losses[-1] != pytest.approx(losses[0], abs=1e-3)


@pytest.mark.parametrize(("form", "accumulate"), SHORT_FORMS)
def test_two_processes_equal_one(two, alone, form, accumulate):
    found = two["vivit"][f"{form} {accumulate} torch.float64"]
    assert_equal_float64(found, alone("vivit", torch.float64, SHORT), SHORT)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "accumulate"), FORMS)
@pytest.mark.parametrize("network", ["vivit", "casvit"])
def test_two_processes_equal_one_over_20_steps(two_long, alone, network, form, accumulate):
    found = two_long[network][f"{form} {accumulate} torch.float64"]
    assert_equal_float64(found, alone(network, torch.float64, STEPS), STEPS)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "accumulate"), FORMS)
def test_two_processes_give_the_losses_of_one_in_float32(two_long, alone, form, accumulate):
    losses, _ = two_long["vivit"][f"{form} {accumulate} torch.float32"]
    assert losses == pytest.approx(alone("vivit", torch.float32, STEPS)[0], abs=1e-5)


@pytest.mark.parametrize("source", ["sharded", "full"])
def test_a_sharded_run_goes_on_bitwise_from_both_forms(two, source):
    assert distance(two["shards"][f"{source} fsdp2"], two["shards"]["whole"]) == 0


@pytest.mark.parametrize("source", ["sharded", "full", "one"])
@pytest.mark.parametrize("form", ["fsdp2", "ddp"])
def test_checkpoints_go_from_any_form_and_number_of_processes_to_any(one, two, source, form):
    folder, expected = one
    assert distance(two["shards"][f"{source} {form}"], expected) < 1e-9
    assert distance(resume(ALONE, folder, source=source, form=form), expected) < 1e-9


def test_the_forms_of_a_checkpoint(two, one):
    folder, _ = one
    assert [path.name for path in (folder / "sharded").iterdir()] == ["step_00000003.shards"]
    assert [path.name for path in (folder / "full").iterdir()] == ["step_00000003.pt"]
    names = {path.name for path in (folder / "sharded" / "step_00000003.shards").iterdir()}
    assert names == {".metadata", "__0_0.distcp", "__1_0.distcp", "run.pt", "checksums.json"}


def test_what_is_not_finite_on_one_process_is_saved_by_none(two, one):
    expected = {
        "optimizer": "the optimizer's exp_avg of network.head.logits.weight",
        "average": "the average of network.head.logits.weight",
        "weight": "the weight network.head.logits.weight",
    }
    for form in ("ddp", "fsdp2"):
        for where, name in expected.items():
            # Parts that were poisoned before stay so; the first that is told is the weight, then its average.
            assert (
                two["poisoned"][f"{form} {where}"] == [f"after step 1 {name} is not finite (an infinity or a NaN)"] * 2
            )
        assert not (one[0] / f"poisoned {form}").exists()


def test_one_batch_norm_anywhere_in_a_block_keeps_it_in_float32():
    plain = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    assert not _has_batch_norm(plain)
    assert _has_batch_norm(nn.Sequential(plain, nn.Sequential(nn.Conv3d(2, 2, 1), nn.BatchNorm3d(2)), nn.ReLU()))
