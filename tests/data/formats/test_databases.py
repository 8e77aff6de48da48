"""ActivityNet's form of JSON, COIN, and Kinetics in JSON."""

import pytest

from tests.data.formats.reading import assert_reads, assert_refused


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        (
            "ActivityNet",
            "1 parts end before they begin and are left out, such as LIST: 'sJFgo9H6zNo': annotations 1 (from 0)",
        ),
        ("ActivityNet, a subset by its name", ""),
        ("Kinetics, JSON", ""),
        ("COIN, steps", ""),
        ("COIN, tasks", ""),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("ActivityNet", '"segment": [1.5', '"segment": ["1.5"', r"'sJFgo9H6zNo': annotations 0 \(from 0\): segment is"),
        ("ActivityNet", '"sJFgo9H6zNo"', '"../../x"', r"'../../x': '../../x' is no id of a video"),
        ("ActivityNet", '"Fun sliding down"', "null", r"annotations 0 \(from 0\): a label is the name of a class"),
        ("Kinetics, JSON", "[59.0, 69.0]", "[59.0]", r"'-3B32lodo2M': segment is \[start, end\] in seconds"),
        ("COIN, steps", '"recipe_type": 13', '"recipe_type": "a/b"', r"recipe_type: 'a/b' is no id of a video"),
        ("COIN, tasks", '"start": 6', '"start": "6"', r"start and end is \[start, end\] in seconds"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        (
            "ActivityNet, a subset by its name",
            "subset",
            r"no video of the subset training or train; there are: Test \(1\), V",
        ),
        ("COIN, steps", "label", r"say `label`=task or `label`=step, not None"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})
