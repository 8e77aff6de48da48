"""Every form, written from its specification, reads to the records that it means; forms are told apart."""

import json
import re
import typing

import pytest

from tests.conftest import ROOT
from tests.data.formats.samples import SAMPLES
from vidtok.choices import ListForm
from vidtok.data.formats import FORMS, detect, find_form
from vidtok.data.lists import describe, open_list, read_list
from vidtok.errors import ConfigError, DataError


@pytest.mark.parametrize("name", SAMPLES)
def test_a_list_reads_to_its_records(tmp_path, name):
    sample = SAMPLES[name]
    source, root = sample.write(tmp_path)
    records, classes = open_list(source, root=root, format=sample.form, options=sample.options)
    assert list(records) == sample.records(root)
    assert classes == sample.classes
    assert records.form == sample.form
    assert find_form(sample.form).words in describe(records)


@pytest.mark.parametrize("name", [name for name, sample in SAMPLES.items() if sample.detected])
def test_a_form_is_found_by_itself(tmp_path, name):
    sample = SAMPLES[name]
    source, root = sample.write(tmp_path)
    records, _ = open_list(source, root=root, options=sample.options)
    assert (records.form, list(records)) == (sample.form, sample.records(root))


def test_every_form_has_a_sample_and_a_name_in_the_config():
    assert set(FORMS) == {sample.form for sample in SAMPLES.values()}
    assert typing.get_args(ListForm) == ("auto", *FORMS)


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("a.mp4 300 4\nb.mp4 17 2\n", {"paths", "pyslowfast"}),
        ("one 300 4\ntwo 17 2\n", {"paths", "rawframes"}),
        ("one 7 300 4\ntwo 9 17 2\n", {"paths", "rawframes", "rawframes_offset"}),
        ("imgs 5 1\nmore 5 3 5\n", {"paths", "rawframes"}),
        ("imgs 5 1 3\nmore 5 3 5 1\n", {"paths", "rawframes", "rawframes_offset"}),
        ("imgs 5 1\na.mp4 5 3\n", {"paths", "rawframes", "pyslowfast"}),
        ("Archery/v_Archery_g01_c01.avi 3\nArchery/v_Archery_g01_c02.avi 3\n", {"paths", "ucf101"}),
    ],
)
def test_what_may_be_several_forms_is_not_guessed(tmp_path, text, candidates):
    path = tmp_path / "train.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"train.txt: may be of several forms; say which one with `format`") as error:
        read_list(path)
    assert {line.strip().partition(":")[0] for line in str(error.value).splitlines()[1:]} == candidates
    assert len(read_list(path, format="paths")) == 2
    said = {line.strip().partition(": ")[0]: line.partition(": ")[2] for line in str(error.value).splitlines()[1:]}
    counts = {len(line.split()) - 1 for line in text.splitlines()}
    if "ucf101" not in said:
        assert said["paths"] == (f"{min(counts)} labels per video" if len(counts) == 1 else "several labels")
    if "rawframes" in said:
        assert said["rawframes"].endswith("or labels") == (max(counts) > 2)


@pytest.mark.parametrize(
    ("text", "classes", "form", "labels"),
    [
        ("one 3 4\ntwo 2\n", None, "paths", [(3, 4), (2,)]),  # different numbers of labels
        ("a.mp4 3 4\nb.mp4 0 4\n", None, "paths", [(3, 4), (0, 4)]),  # no video has 0 frames
        ("one 3 4\ntwo 0 4\n", None, "paths", [(3, 4), (0, 4)]),
        ("one 3 4 1\ntwo 0 0 4\n", None, "paths", [(3, 4, 1), (0, 0, 4)]),
        ("a.mp4 3 4 1\nb.mp4 5 6 1\n", None, "paths", [(3, 4, 1), (5, 6, 1)]),  # no list of files has so many
        ("a.mp4 300 4\nb.mp4 17 2\n", 300, "pyslowfast", [(4,), (2,)]),  # no class 300
        ("one 300 4\ntwo 17 2\n", 300, "rawframes", [(4,), (2,)]),
        ("one 300 4\ntwo 17 2 3\n", 300, "rawframes", [(4,), (2, 3)]),
        ("one 3 4\ntwo 0 2 3\n", None, "paths", [(3, 4), (0, 2, 3)]),
        ("one 3\ntwo 17 2 3\n", None, "paths", [(3,), (17, 2, 3)]),
        ("a.mp4 3 4\nb.mp4 5 2 3\n", None, "paths", [(3, 4), (5, 2, 3)]),
        ("one 0 300 4\ntwo 0 17 2\n", 300, "rawframes_offset", [(4,), (2,)]),
    ],
)
def test_numbers_that_can_be_but_one_thing_are_no_question(tmp_path, text, classes, form, labels):
    path = tmp_path / "train.txt"
    path.write_text(text)
    names = None if classes is None else [str(label) for label in range(classes)]
    records = read_list(path, classes=names)
    assert (records.form, [record.labels for record in records]) == (form, labels)


def test_labels_of_ucf101_from_0_are_read_as_such(tmp_path):
    """The official list says 1 for the first class: read as `paths`, every label would be one too high."""
    path = tmp_path / "list.txt"
    path.write_text("B/v_B_g01_c01.avi 1\nA/v_A_g01_c01.avi 0\n")
    assert detect(path) == "paths"
    (tmp_path / "classInd.txt").write_text("1 A\n2 B\n")
    assert detect(path) == "paths"
    path.write_text("B/v_B_g01_c01.avi 2\nA/v_A_g01_c01.avi 1\n")
    assert detect(path) == "ucf101"
    assert [record.labels for record in read_list(path)] == [(1,), (0,)]


@pytest.mark.parametrize(
    "content", [{}, [], {"a": {"b": 1}}, [{"id": "1"}], "text", {"database": {"a": {"annotations": {}}}}]
)
def test_other_json_is_no_list(tmp_path, content):
    path = tmp_path / "test.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"test.json: no known list in JSON: AViD has .*Something-Something v2"):
        read_list(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "thing,note\na.mp4,x\nb.mp4,x\n", r"a.csv:1: .*header.*understood are path, or filename, .*label"),
        ("a.csv", "id,meaning\nimgs1,x\nimgs2,x\n", r"a.csv:1: 'id' is neither .*understood are path, or filename"),
        ("a.csv", "video,meaning\na.mp4,run\n", r"a.csv:1: no column 'label'; the header is 'video,meaning'; under"),
        ("a.csv", "name\tclass\na.mp4\trun\n", r"a.csv:1: no column 'path'; the header is 'name,class'; understood"),
        ("a.csv", "path\na.mp4\n", r"a.csv:1: no column 'label'; the header is 'path'; understood"),
        (
            "a.json",
            '[{"thing": "a.mp4", "label": 1}]',
            r"a.json: entry 0 .*no column 'path'.*understood are path, ",
        ),
        ("a.jsonl", '{"file": "a.mp4", "labl": 1}\n', r"a.jsonl:1: no column 'label'; .*understood are path, or"),
        ("a.txt", "a.mp4\nb.mp4\n", r"a.txt: a list of videos without labels; .* every line needs one"),
        ("a.txt", "imgs1\nimgs2\n", r"a.txt: a list of videos without labels"),
        ("a.mp4", "\0\0\0\x20ftypmp42", r"a.mp4: a video or picture, not a list of them. To label one video, predict"),
        ("a.JPG", "\xff\xd8\0\x10JFIF", r"a.JPG: a video or picture, not a list"),
        ("a.xlsx", "PK\3\4\0\0", r"a.xlsx: no text, and so no list"),
    ],
)
def test_what_is_not_understood_says_what_would_be(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        read_list(tmp_path / name)


def test_broken_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a.mp4": "run",')
    with pytest.raises(DataError, match=r"a.json: not valid JSON: .*line 1"):
        read_list(tmp_path / "a.json")


def test_forms_and_options_that_are_not_there(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("a.mp4 0\n")
    with pytest.raises(ConfigError, match=r"no form of lists is called 'kinetics400'; there are: auto, paths, csv"):
        read_list(path, format="kinetics400")
    with pytest.raises(ConfigError, match=r"the form paths has no option 'none'; it has: none$"):
        open_list(path, options={"none": "drop"})
    with pytest.raises(ConfigError, match=r"the form kinetics has no option 'fps'; it has: untrimmed"):
        open_list(path, format="kinetics", options={"fps": 3.0})
    with pytest.raises(ConfigError, match="a file cannot be of the form folder"):
        read_list(path, format="folder")
    with pytest.raises(ConfigError, match="a folder cannot be of the form csv"):
        read_list(tmp_path, format="csv")


def test_a_folder_of_split_files_asks_for_one_of_them(tmp_path):
    SAMPLES["HMDB51"].write(tmp_path)
    with pytest.raises(DataError, match=r"splits: holds split files of HMDB51; name one of them, such as .*split1.txt"):
        read_list(tmp_path / "splits")


def test_the_page_on_lists_names_every_form_and_its_example_reads(tmp_path):
    page = (ROOT / "docs" / "lists.md").read_text()
    table = page.partition("## Forms of the field")[2]
    assert {"csv", *re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)} == set(FORMS)
    example = re.search(r"```\n(path,labels.*?)```", page, re.DOTALL)[1]
    (tmp_path / "list.csv").write_text(example)
    records = read_list(tmp_path / "list.csv", classes=[*map(str, range(148)), "jump", "wave"])
    assert [record.labels for record in records] == [(3,), (148, 149), (92, 147), (5,)]
    assert records[2].intervals == ((11.9, 21.2), (0.0, 12.6))
    options = set(re.findall(r"--[a-z]+[a-z-]*", page.partition("## folds")[0]))
    assert options == set(re.findall(r'"(--[a-z-]+)"', (ROOT / "vidtok/cli/lists.py").read_text()))


def test_xml_is_told_by_its_content_and_a_folder_of_it_by_what_else_lies_there(tmp_path):
    cvat, elan = "<annotations><meta></meta></annotations>", "<ANNOTATION_DOCUMENT></ANNOTATION_DOCUMENT>"
    for name, text, form in (
        ("a.txt", cvat, "cvat"),
        ("a.txt", elan, "elan"),
        ("a.txt", f'<?xml version="1.0"?>{cvat}', "cvat"),
        ("a.xml", f"<!-- of May -->\n{cvat}", "cvat"),
        ("a.eaf", f"<!-- of May -->\n{elan}", "elan"),
    ):
        (tmp_path / name).write_text(text)
        assert detect(tmp_path / name) == form
    for name, text, form in (("a.xml", cvat, "cvat"), ("a.eaf", elan, "elan")):
        folder = tmp_path / form
        folder.mkdir()
        (folder / name).write_text(text)
        (folder / ".git").mkdir()
        assert detect(folder) == form
        (folder / "run").mkdir()
        assert detect(folder) == "folder"


def test_a_single_line_is_a_header_where_it_has_several_columns(tmp_path):
    path = tmp_path / "a.csv"
    for text, form in (("path\n", "paths"), ("path,label\n", "csv"), ("path\na.mp4\n", "csv")):
        path.write_text(text)
        assert detect(path) == form, text
