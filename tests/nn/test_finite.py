"""The first tensor that is not finite, of any type."""

import pytest
import torch

from vidtok.nn.finite import first_not_finite


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64])
def test_the_first_of_several_is_named(value, dtype):
    tensors = {"counts": torch.tensor([3]), "a": torch.ones(3, 2, dtype=dtype), "empty": torch.ones(0, dtype=dtype)}
    tensors |= {"b": torch.ones(4, dtype=dtype), "c": torch.ones((), dtype=dtype)}
    assert first_not_finite(tensors) == ""
    tensors["c"].fill_(value)
    assert first_not_finite(tensors) == "c"
    tensors["b"][2] = value
    assert first_not_finite(tensors) == "b"


def test_the_largest_numbers_are_finite():
    most = torch.finfo(torch.float32).max
    assert first_not_finite({"a": torch.full((4,), most), "b": torch.tensor(-most)}) == ""
    assert first_not_finite({}) == first_not_finite({"n": torch.tensor([1])}) == ""
