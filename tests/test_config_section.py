"""A section refuses what it does not know, and cannot be changed once it is checked."""

import pytest
from pydantic import ValidationError

from vidtok.config_section import Section


class Shelf(Section):
    books: int = 3
    """How many stand on it."""
    width: float = 1.0
    """In metres."""


def test_the_docstring_under_a_key_is_its_manual():
    assert Shelf.model_fields["books"].description == "How many stand on it."


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"bocks": 4}, "extra_forbidden"),
        ({"books": "4"}, "int_type"),
        ({"books": 4.0}, "int_type"),
        ({"width": float("nan")}, "finite_number"),
        ({"width": float("inf")}, "finite_number"),
    ],
)
def test_keys_and_values_are_strict(given, kind):
    with pytest.raises(ValidationError) as told:
        Shelf(**given)
    assert [error["type"] for error in told.value.errors()] == [kind]


def test_it_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Shelf().books = 4  # pyright: ignore[reportAttributeAccessIssue]
