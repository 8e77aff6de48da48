"""What the tests of the importers share."""

from pathlib import Path

import pytest

import tests.golden


@pytest.fixture
def golden_folder() -> Path:
    """The cases that travel with the tests, whatever VIDTOK_GOLDEN says."""
    assert tests.golden.__file__ is not None
    return Path(tests.golden.__file__).parent
