"""VIA 3: temporal segments, and which attribute has the labels."""

import json

import pytest

from tests.data.formats import segment_samples as samples
from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.lists import open_list
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("VIA", "1 regions and single moments are no parts of videos; 1 segments without a value of '1' are left out"),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("VIA", '{"1": "1"}', '{"1": "7"}', r"metadata '1_a': '7' is none of the options of its attribute \(0, 1\)"),
        ("VIA", "[1.5, 4.125]", "[1.5, 4.125, 9]", r"metadata '1_a': z is \[start, end\] in seconds"),
        ("VIA", "[1.5, 4.125]", "[4.5, 4.125]", r"metadata '1_a': the part ends at 4.125 s, and begins at 4.5 s"),
        ("VIA", '"fid_list": ["1"]', '"fid_list": ["1", "2"]', r"metadata '1_a': its view shows 2 files, not one"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


def test_which_attribute_is_asked(tmp_path):
    via = json.loads(json.dumps(samples.VIA))
    via["metadata"]["1_a"]["av"]["2"] = "fast"
    (tmp_path / "via.json").write_text(json.dumps(via))
    with pytest.raises(DataError, match=r"which attribute of the segments has the labels: action, box\? Say it"):
        open_list(tmp_path / "via.json")
    records, classes = open_list(tmp_path / "via.json", options={"label": "box"})
    assert (len(records), classes) == (1, ("fast",))
    assert records.notes == (
        "1 regions and single moments are no parts of videos",
        "2 segments without a value of '2' are left out",
    )


def test_pictures_of_via_2_are_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"_via_settings": {}, "_via_img_metadata": {}}')
    with pytest.raises(DataError, match="no known list in JSON"):
        open_list(tmp_path / "a.json")
    with pytest.raises(DataError, match=r"a.json: no project of VIA 3, an object with the keys project, file, view"):
        open_list(tmp_path / "a.json", format="via")


def test_values_times_and_files_of_segments(tmp_path):
    def read(change, **options):
        via = json.loads(json.dumps(samples.VIA))
        change(via)
        (tmp_path / "via.json").write_text(json.dumps(via))
        return open_list(tmp_path / "via.json", options=options)

    def several(via):
        via["attribute"]["1"]["type"] = 2
        via["metadata"]["1_a"]["av"]["1"] = "1,0"

    records, classes = read(several)
    assert (records[0].labels, classes) == ((0, 1), ("long jump", "run"))

    def free(via):
        del via["attribute"]["1"]["aname"]
        via["attribute"]["1"]["type"] = 1
        via["metadata"]["1_a"] |= {"z": "no list", "av": {"1": " ran "}}
        via["metadata"]["2_d"] |= {"xy": [2, 1], "z": [1, 2]}

    records, classes = read(free, label="1")
    assert ([each.start_seconds for each in records], classes) == ([None], ("ran",))
    assert records.notes[0].startswith("2 regions and single moments")

    def unnamed(via):
        via["file"]["2"]["fname"] = ""
        del via["metadata"]["1_a"]
        via["metadata"]["1_d"] = {"vid": "1", "z": [3.0], "xy": [], "av": {"1": "0"}}

    records, _ = read(unnamed)
    assert [each.path.name for each in records] == ["b c.mp4"]

    def said(path, value):
        def change(via):
            *way, last = path
            for key in way:
                via = via[key]
            via[last] = value

        return change

    for change, words in [
        (said(["metadata", "2_d", "vid"], "9"), "metadata '2_d': its view '9' is no object, but None"),
        (said(["view", "2", "fid_list"], []), "metadata '2_d': its view shows 0 files, not one"),
        (said(["view", "2", "fid_list"], "2"), "metadata '2_d': its view shows 0 files, not one"),
        (said(["file", "2"], {"fname": 3, "src": ""}), r"metadata '2_d': its file '2' has no name \(fname\)"),
        (said(["metadata", "2_d", "av", "1"], 0), "metadata '2_d': the value of an attribute is a text, not 0"),
        (said(["metadata", "2_d", "av", "1"], "1,0"), "'1,0' is none of the options"),
        (said(["metadata", "2_d"], 3), "metadata '2_d' is no object, but 3"),
        (said(["attribute"], {}), "which attribute of the segments has the labels: none"),
    ]:
        with pytest.raises(DataError, match=words):
            read(change)
