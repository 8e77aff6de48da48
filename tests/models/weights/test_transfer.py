import re

import pytest
import torch
from torch import nn

from vidtok.errors import CheckpointError
from vidtok.models.weights.transfer import Transfer


def network():
    return nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Linear(2, 2)})


def state():
    return {"w": torch.arange(6.0).reshape(2, 3), "v": torch.ones(2), "extra": torch.zeros(1)}


def test_every_key_and_every_parameter_is_accounted_for():
    module = network()
    start = {name: p.clone() for name, p in module.named_parameters()}
    transfer = Transfer(module, state())
    transfer.move("w", "a.weight")
    transfer.put("a.bias", transfer.take("v") * 2, source="v")
    transfer.note_resized("v", "doubled")
    transfer.skip("extra", "no use")
    transfer.skip("not there", "no use")
    transfer.note("b is new")
    report = transfer.finish(may_miss=["b."])
    assert report.used == ("w",)
    assert report.resized == ("v (doubled)",)
    assert report.skipped == ("extra (no use)",)
    assert report.missing == ("b.bias", "b.weight")
    assert report.notes == ("b is new",)
    assert torch.equal(module["a"].weight, state()["w"])
    assert torch.equal(module["a"].bias, torch.full((2,), 2.0))
    assert torch.equal(module["b"].weight, start["b.weight"])
    assert str(report).splitlines() == [
        "1 keys used, 1 resized, 1 skipped, 2 parameters of the network keep their start",
        "  resized: v (doubled)",
        "  skipped: extra (no use)",
        "  missing: b.bias",
        "  missing: b.weight",
        "  note: b is new",
    ]


def test_a_key_that_nobody_asked_for_is_an_error_and_nothing_is_copied():
    module = network()
    before = module["a"].weight.clone()
    transfer = Transfer(module, state())
    transfer.move("w", "a.weight")
    with pytest.raises(CheckpointError, match="2 keys of the weights have no place in the network: extra, v"):
        transfer.finish(may_miss=["a.", "b."])
    assert torch.equal(module["a"].weight, before)


def test_a_parameter_that_gets_nothing_is_an_error():
    transfer = Transfer(network(), {"w": state()["w"]})
    transfer.move("w", "a.weight")
    with pytest.raises(CheckpointError, match=r"nothing for 1 parameters of the network: a\.bias"):
        transfer.finish(may_miss=["b."])


def test_long_lists_are_cut_after_five_names():
    names = [f"key{i}" for i in range(7)]
    for count, told in ((5, "key0, key1, key2, key3, key4"), (6, "key0, key1, key2, key3, key4 … (6 in all)")):
        transfer = Transfer(nn.Linear(1, 1), {name: torch.ones(1) for name in names[:count]})
        with pytest.raises(CheckpointError, match=rf"{count} keys .*: {re.escape(told)}$"):
            transfer.finish()


def test_what_is_asked_for():
    transfer = Transfer(network(), state())
    assert transfer.has("w")
    assert not transfer.has("a.weight")
    assert transfer.wants("a.weight") == (2, 3)
    assert transfer.wants("w") is None


def test_a_key_that_is_missing_names_those_that_end_alike():
    transfer = Transfer(network(), {"x/y/kernel": torch.ones(1), "a.kernel": torch.ones(1), "b": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"they have a\.kernel, x/y/kernel$"):
        transfer.take("z/kernel")
    with pytest.raises(CheckpointError, match=r"they have a\.kernel, b, x/y/kernel$"):
        transfer.take("scale")


def test_shapes_that_differ_name_both_keys():
    transfer = Transfer(network(), state())
    with pytest.raises(CheckpointError, match=r"w: its shape \(2, 3\) does not fit 'b.weight', which has \(2, 2\)"):
        transfer.move("w", "b.weight")


def test_keys_that_are_not_there():
    transfer = Transfer(network(), {"x/kernel": torch.ones(1), "y/bias": torch.ones(1)})
    with pytest.raises(CheckpointError, match="no 'z/kernel', which the network needs; they have x/kernel"):
        transfer.take("z/kernel")
    with pytest.raises(CheckpointError, match=r"x/kernel: the network has no parameter 'c\.weight'"):
        transfer.move("x/kernel", "c.weight")
