"""What every form with parts of videos is asked: its samples read, and what is wrong in them is named."""

from pathlib import Path

import pytest

from tests.data.formats.samples import SAMPLES
from vidtok.data.lists import open_list
from vidtok.errors import DataError


def assert_reads(folder: Path, name: str, *, notes: str = "") -> None:
    """The sample reads to its records and classes, and to these notes."""
    sample = SAMPLES[name]
    source, root = sample.write(folder)
    records, classes = open_list(source, root=root, options=sample.options)
    assert (records.form, list(records), classes) == (sample.form, sample.records(root), sample.classes)
    assert "; ".join(records.notes).replace(f"{source}", "LIST") == notes


def assert_refused(folder: Path, name: str, old: str, new: str, words: str, **options: object) -> None:
    """The sample's list with one text in place of another, and the error that it makes; None takes an option away."""
    sample = SAMPLES[name]
    source, root = sample.write(folder)
    file = min(source.iterdir()) if source.is_dir() else source
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    options = {key: value for key, value in {**sample.options, **options}.items() if value is not None}
    with pytest.raises(DataError, match=words) as error:
        open_list(source, root=root, format=sample.form, options=options)
    assert str(error.value).startswith(str(file))
