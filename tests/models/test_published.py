"""Published figures belong to models that exist, and say where they come from."""

from vidtok.models.presets import PRESETS
from vidtok.models.published import PUBLISHED


def test_every_figure_has_a_model_and_a_source():
    assert PUBLISHED.keys() <= PRESETS.keys()
    for name, facts in PUBLISHED.items():
        assert facts.source, name
        assert facts.parameters is not None or facts.macs is not None, name
