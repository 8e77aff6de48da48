import inspect
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from tests.conftest import tool_options
from tests.shapes import checked, names_arrays
from vidtok.types import Frames
from vidtok.viz.text import text_width


def test_a_signature_of_the_package_is_held_to_its_shapes_and_types():
    """By way of the package itself: a function or record that escapes the check would let these pass."""
    times = torch.zeros(2, dtype=torch.float64)
    assert len(Frames(pixels=torch.zeros(2, 3, 4, 4, dtype=torch.uint8), pts_seconds=times).pixels) == 2
    with pytest.raises(TypeCheckError, match="pixels"):
        Frames(pixels=torch.zeros(2, 4, 4, dtype=torch.uint8), pts_seconds=times)
    with pytest.raises(TypeCheckError, match="pts_seconds"):
        Frames(pixels=torch.zeros(2, 3, 4, 4, dtype=torch.uint8), pts_seconds=times.float())
    with pytest.raises(BeartypeCallHintParamViolation, match="size"):
        text_width("word", size="large")  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_one_name_is_one_length_within_a_call():
    @checked
    def joined(a: Float[Tensor, "b d"], b: Float[Tensor, "b d"]) -> Float[Tensor, "2*b d"]:
        return torch.cat([a, b])[: 2 * len(a) - int(a[0, 0])]

    assert joined(torch.zeros(2, 3), torch.zeros(2, 3)).shape == (4, 3)
    with pytest.raises(TypeCheckError, match="parameters"):
        joined(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(TypeCheckError, match="return"):
        joined(torch.ones(2, 3), torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        (Float[Tensor, "b"], True),
        (dict[str, Float[Tensor, "b"] | None], True),
        (inspect.signature(lambda: None).empty, False),
        (dict[str, Tensor], False),
        ("Float", False),
    ],
)
def test_where_a_shape_is_named(annotation, named):
    assert names_arrays(annotation) is named


def test_classes_and_closures_without_a_shape_stay_what_they_are():
    class Plain:
        name: str

    @dataclass
    class Point:
        x: int

    def inner(x: int) -> int:
        return x

    assert checked(Plain) is Plain
    assert checked(inner) is inner
    assert checked(Point) is Point
    assert Point(1).x == 1
    with pytest.raises(BeartypeCallHintParamViolation, match="x"):
        Point("1")  # pyright: ignore[reportArgumentType]


def test_no_compiled_file_of_the_checked_form_is_left():
    """What users import is what they read: a run without the check must not find the other one's compiled file."""
    from vidtok.types import Frames  # compiled by this run, checked

    assert "__checked__" in vars(sys.modules[Frames.__module__])
    words = "import vidtok.types; assert '__checked__' not in vars(vidtok.types)"
    done = subprocess.run([sys.executable, "-c", words], **tool_options())
    assert done.returncode == 0, done.stderr
