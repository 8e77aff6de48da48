"""Class files: plain ones, numbered ones, JSON, and those of the data sets."""

import json

import pytest

from vidtok.errors import DataError
from vidtok.text.classes import class_order, read_classes


def write(folder, text, name="classes.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_one_name_per_line(tmp_path):
    assert read_classes(write(tmp_path, "\ufeffa\nb c\r\n\n")) == ("a", "b c")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a\n\nb\n", r":2: an empty line"), ("a\nb\na\n", r":3: .* line 1 already"), ("", "no class names")],
)
def test_wrong_lines_are_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_classes(write(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="no such class file"):
        read_classes(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1 ApplyEyeMakeup\n2 Archery\n", ("ApplyEyeMakeup", "Archery")),
        ("0 abseiling\n1 air drumming\n", ("abseiling", "air drumming")),
        ("c000 Holding some clothes\nc001 Closing a door\n", ("Holding some clothes", "Closing a door")),
        ("1 apple\n3 apples\n", ("1 apple", "3 apples")),
        ("1 apple\nno apple\n", ("1 apple", "no apple")),
        ("2 apples\n3 apples\n", ("2 apples", "3 apples")),
        ("1 apple\n", ("1 apple",)),
        ("0\n1\n2\n", ("0", "1", "2")),
    ],
)
def test_numbers_in_order_before_the_names_go(tmp_path, text, names):
    assert read_classes(write(tmp_path, text)) == names


def test_json_from_names_to_numbers(tmp_path):
    labels = {"Closing something": "1", '"Digging"': 0}
    assert read_classes(write(tmp_path, json.dumps(labels), "labels.json")) == ("Digging", "Closing something")
    for content, message in [
        ({"a": 0, "b": 2}, "2 names need the numbers 0 to 1, each of them once"),
        ({"a": 0, "b": 0}, "2 names need the numbers 0 to 1"),
        ({"a": "x"}, "class numbers are whole numbers"),
        ([["a"]], "an object from each class name"),
    ]:
        with pytest.raises(DataError, match=message):
            read_classes(write(tmp_path, json.dumps(content), "labels.json"))


@pytest.mark.parametrize(
    "text",
    [
        "0,bend\n1,jack\n2,wave, both\n",
        "1,bend\n2,jack\n3,wave, both\n",
        '0,"bend"\n1,jack\n2,"wave, both"\n',
        "2;wave, both\n0;bend\n1;jack\n",
        "0\tbend\n1\tjack\n2\twave, both\n",
        "0: bend\n1: jack\n2: wave, both\n",
        "id,name\n0,bend\n1,jack\n2,wave, both\n",
        "class_id\tclass_name\n0\tbend\n1\tjack\n2\twave, both\n",
        "name,id\nbend,0\njack,1\nwave, both,2\n",
        "bend,0\njack,1\nwave, both,2\n",
        "1 bend\n0 jack\n2 wave, both\n".replace("1 bend\n0 jack", "0 bend\n1 jack"),
        'bend\njack\n"wave, both"\n',
        '["bend", "jack", "wave, both"]',
        '{"bend": 0, "jack": 1, "wave, both": 2}',
        '{"2": "wave, both", "0": "bend", "1": "jack"}',
        '{"architectures": ["A"], "id2label": {"0": "bend", "1": "jack", "2": "wave, both"}, "num": 3}',
        '{"label2id": {"bend": 0, "jack": 1, "wave, both": 2}}',
    ],
)
def test_every_form_of_a_class_file(tmp_path, text):
    for name in ("classes.txt", "classes.csv", *(["labels.json"] if text[0] in "[{" else [])):
        assert read_classes(write(tmp_path, text, name)) == ("bend", "jack", "wave, both")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,bend\n2,jack\n", r": 2 names need the numbers 0 to 1, or 1 to 2, each of them once; these are 0, 2$"),
        ("0,bend\n0,jack\n", r": 2 names need the numbers"),
        ("5,bend\n", r": 1 names need the numbers"),
        ("bend,120\njack,80\n", r": 2 names need the numbers"),
        ("bend\n0,jack\n1,run\n", r":1: no number and name, as on other lines, in 'bend'"),
        ("id,name\nbend\njack\n", r":2: no number and name in 'bend', as the header 'id,name' says"),
        ("id,name,count\n0,bend,7\n", r":1: 'id,name,count': a header or a class\?"),
        ("name\nbend\njack\n", r":1: 'name': a header or a class\?"),
        ("bend 0\njack 1\n", r":1: 'bend 0': is the number a part of the name\?"),
        ("0,bend\n1,bend\n", r":2: the class 'bend' stands on line 1 already"),
        ("0,bend\n1,jack\n2,\n", r":3: no number and name, as on other lines, in '2,'"),
        ("# my classes\nbend\n", r":1: '# my classes' is a comment or a class\?"),
        ("caf\u00e9\ncafe\u0301\n", r":2: the class .* stands on line 1 already"),
        ('["a", "a"]', r": name 1: the class 'a' stands on name 0 already"),
        ('["a", 1]', "a class file in JSON is a list of names"),
        ('{"0": "1", "1": "0"}', None),
        ('{"0": "1", "1": "2", "2": "0"}', "which are the numbers and which the names"),
        ('{"id2label": {"0": "a", "2": "b"}}', "2 names need the numbers 0 to 1"),
        ('{"0": "a", "1": "a"}', "the class 'a' stands on name 0 already"),
        ('{"a": true}', "class numbers are whole numbers"),
        ("{}", "class numbers|need the numbers"),
        ("2,bend\n3,jack\n", r": 2 names need the numbers 0 to 1, or 1 to 2, each of them once; these are 2, 3$"),
        ("id,name\n0,bend\nrun\n1,jack\n", r":3: no number and name, as on other lines, in 'run'"),
        ("id,name\n0,bend\n1,bend\n", r":3: the class 'bend' stands on line 2 already"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path, text, message):
    if message is None:  # the same both ways
        assert read_classes(write(tmp_path, text)) == ("1", "0")
        return
    with pytest.raises(DataError, match=rf"classes.txt{message}" if message[0] == ":" else message):
        read_classes(write(tmp_path, text))


@pytest.mark.parametrize("text", ["no\nyes\n", "class 0\nclass 1\n", "[a\nb]\n", "1,000 m\nrun\n", "at 3:15\nrun\n"])
def test_names_may_hold_anything_that_is_no_number_of_theirs(tmp_path, text):
    assert read_classes(write(tmp_path, text)) == tuple(text.splitlines())


def test_another_encoding(tmp_path):
    (tmp_path / "classes.txt").write_bytes("run\ncaf\u00e9\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"classes.txt: not a text in UTF-8 \(line 2 has '.udce9'\)"):
        read_classes(tmp_path / "classes.txt")


def test_order():
    assert class_order(["b", "10", "2"]) == ("10", "2", "b")
    assert class_order(["10", "9", "0"]) == ("0", "9", "10")


def test_headers_of_a_number_and_a_name(tmp_path):
    numbers = ["id", "Index", "idx", "number", "class_id", "label-id", "classIndex", "labelindex", "class_idx"]
    names = ["name", "class", "classes", "ClassName", "label", "labels", "label_name", "category"]
    for number, name in [*((number, "name") for number in numbers), *(("id", name) for name in names)]:
        text = f"{number},{name}\n1,jack\n0,bend\n"
        assert read_classes(write(tmp_path, text)) == ("bend", "jack"), text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("id,name\n", ("id,name",)),  # a single line is no header
        ("bend\n0,jack\n", ("bend", "0,jack")),  # half of the lines are not the most
        ('""\n"a"\n', ('""', "a")),
        ("number,thing\n0,jack\n", ("number,thing", "0,jack")),
    ],
)
def test_what_looks_like_more_than_a_name_and_is_none(tmp_path, text, names):
    assert read_classes(write(tmp_path, text)) == names
