"""The label that a class's name, or a number, stands for."""

import pytest

from vidtok.data.classes import ClassIndex, LabelReader
from vidtok.errors import DataError


def test_names_that_come_up_are_sorted(tmp_path):
    index = ClassIndex(None, source=tmp_path)
    provisional = [index.label(name) for name in ("run", "jump", "run", "abseil")]
    relabel = index.relabel()
    assert index.names() == ("abseil", "jump", "run")
    assert [relabel[label] for label in provisional] == [2, 1, 2, 0]
    assert ClassIndex(None, source=tmp_path).names() is None


def test_given_names_keep_their_order(tmp_path):
    index = ClassIndex(["run", "jump"], source=tmp_path / "list.csv")
    assert (index.label("jump"), index.names(), index.relabel()) == (1, ("run", "jump"), None)
    with pytest.raises(DataError, match=r"list.csv:7: 'jmp' is none of the 2 classes \(the nearest: 'jump'\)"):
        index.label("jmp", line=7)
    with pytest.raises(DataError, match=r"'xyz' is none of the 2 classes \(run, jump …\)"):
        index.label("xyz")


def test_names_that_are_numbers_come_in_their_order(tmp_path):
    index = ClassIndex(None, source=tmp_path)
    for name in ("10", "2", "0", "1"):
        index.label(name)
    assert index.names() == ("0", "1", "2", "10")
    assert index.relabel() == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["0", "1", "2"], {0: 0, 1: 1, 2: 2, 7: 7}),  # what has no class is found later, with its video
        (["00", "01", "2"], {0: 0, 1: 1, 2: 2}),
        (["bend", "wave"], {0: 0, 1: 1}),
        (["0", "1", "2", "10"], {0: 0, 1: 1, 2: 2, 10: 3, 3: "3 is none of the 4 classes, whose names are numbers"}),
        (["1", "2", "3"], {1: 0, 2: 1, 3: 2, 0: "0 is none of the 3 classes"}),
        (["0", "1", "10", "2"], {0: 0, 1: 1, 10: 2, 2: 3}),
        (["01", "02"], {1: 0, 2: 1}),
        (["bend", "2", "wave"], {0: 0, 1: 1, 2: "2 may be the class '2', or the label 2, which is 'wave'"}),
        (["bend", "7"], {0: 0, 1: 1, 7: 1}),
        (["1", "01"], {1: "1 may be the class '1', or the class '01'; write the names"}),
    ],
)
def test_a_number_is_a_label_or_a_name_or_refused(tmp_path, classes, labels):
    index = ClassIndex(classes, source=tmp_path / "list.csv")
    for number, label in labels.items():
        if isinstance(label, int):
            assert index.number(number) == label
        else:
            with pytest.raises(DataError, match=rf"list.csv:7: {label}"):
                index.number(number, line=7)


def test_one_name_in_two_forms_of_unicode(tmp_path):
    index = ClassIndex(["caf\u00e9", "e\u0301t\u00e9"], source=tmp_path)
    assert (index.label("cafe\u0301"), index.label("\u00e9te\u0301")) == (0, 1)
    assert "cafe\u0301" in index
    assert "cafe" not in index


def test_a_name_that_is_not_utf8_is_named_with_its_line(tmp_path):
    with pytest.raises(DataError, match=r"list.csv:3: not a text in UTF-8"):
        ClassIndex(None, source=tmp_path / "list.csv").label("caf\udce9", line=3)


def test_what_is_a_name_and_no_number(tmp_path):
    given = LabelReader(["a", "2", "b c"], source=tmp_path)
    assert [given.is_name(text) for text in ("a", "b c", "2", "c", "")] == [True, True, False, False, False]
    assert not LabelReader(None, source=tmp_path).is_name("a")
