"""Forms with parts of videos: what is asked, what is refused, with file and line or key."""

import json
import re
from fractions import Fraction

import pytest

from tests.data.formats import segment_samples as samples
from tests.data.formats.samples import SAMPLES
from tests.video.clips import make_clip, make_late_clip
from vidtok.data.formats.segments import check_id, name_below
from vidtok.data.lists import open_list
from vidtok.errors import DataError

PARTS = sorted(samples.SEGMENT_SAMPLES)


def refused(tmp_path, name, old, new, words, **options):
    """The sample's list with one text in place of another, and the error that it makes."""
    sample = SAMPLES[name]
    source, root = sample.write(tmp_path)
    file = next(iter(sorted(source.iterdir()))) if source.is_dir() else source
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    options = {key: value for key, value in {**sample.options, **options}.items() if value is not None}
    with pytest.raises(DataError, match=words) as error:
        open_list(source, root=root, format=sample.form, options=options)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("CVAT, tracks", 'label="run" source', 'source="x" label=" " source2', r"xml:19: <track> has no label"),
        ("CVAT, tracks", 'frame="20"', 'frame="2o"', r"xml:22: frame is the number of a frame, not '2o'"),
        ("CVAT, tracks", "<source>a b.mp4</source>", "", r"xml:19: this <track> is of frames, and no <source>"),
        ("CVAT, tracks", "<meta>", "<mete>", r"xml:18: not valid XML: mismatched tag"),
        (
            "CVAT, tags of a project",
            'task_id="3"',
            'task_id="5"',
            r"xml:13: this <image> is of frames, and no <source>",
        ),
        ("Label Studio", '"start": 1,', '"start": 0,', r"task 5: ranges are \[\{\"start\": 1, \"end\": 30\}, …\]"),
        ("Label Studio", '["outside", "day"]', '"outside"', r"task 5: choices is a list of names of classes"),
        ("Label Studio", '"end": 2.25', '"end": "2.25"', r"task 6: labels have start and end in seconds, not 1.5 and"),
        ("Label Studio", "second take", "take.avi", r"task 5: which value of its data is the video\? .*video, note"),
        ("Label Studio", "x y.mp4", "x y", r"task 5: which value of its data is the video\? Called like one: none"),
        ("VIA", '{"1": "1"}', '{"1": "7"}', r"metadata '1_a': '7' is none of the options of its attribute \(0, 1\)"),
        ("VIA", "[1.5, 4.125]", "[1.5, 4.125, 9]", r"metadata '1_a': z is \[start, end\] in seconds"),
        ("VIA", "[1.5, 4.125]", "[4.5, 4.125]", r"metadata '1_a': the part ends at 4.125 s, and begins at 4.5 s"),
        ("VIA", '"fid_list": ["1"]', '"fid_list": ["1", "2"]', r"metadata '1_a': its view shows 2 files, not one"),
        ("ELAN", ' TIME_VALUE="1250"', "", r"one.eaf:17: time slot 'ts1' has no TIME_VALUE"),
        ("ELAN", '"milliseconds"', '"PAL-frames"', r"one.eaf:5: TIME_UNITS are milliseconds, not 'PAL-frames'"),
        ("ELAN", "audio/x-wav", "video/mp4", r"2 videos are linked \(/C:/work/one two.mp4, /C:/work/one.wav\)"),
        ("ELAN", "ANNOTATION_DOCUMENT", "ANNOTATION_DOC", r"one.eaf:28: not valid XML: mismatched tag"),
        ("EPIC-KITCHENS, verbs", "00:00:00.14", "0.14", r"train.csv:2: start_timestamp is written 00:01:02.345, not"),
        ("EPIC-KITCHENS, verbs", "open,1", "open,x", r"train.csv:2: verb_class is a number from 0 on, not 'x'"),
        ("EPIC-KITCHENS, verbs", ",P01_01,", ",../P01,", r"csv:2: video_id: '../P01' is no id of a video"),
        ("ActivityNet", '"segment": [1.5', '"segment": ["1.5"', r"'sJFgo9H6zNo': annotations 0 \(from 0\): segment is"),
        ("ActivityNet", '"sJFgo9H6zNo"', '"../../x"', r"'../../x': '../../x' is no id of a video"),
        ("ActivityNet", '"Fun sliding down"', "null", r"annotations 0 \(from 0\): a label is the name of a class"),
        ("HACS clips", "15.2", "x", r"csv:2: 'x' is no number of seconds"),
        ("HACS clips", "22.5,-1", "22.5,0", r"csv:3: label is 1 or -1, not '0'"),
        ("THUMOS", "76.4", "7x", r"Diving_val.txt:1: a line is `video_validation_0000266  72.8 76.4`"),
        ("AVA", ",80,1", ",81,1", r"csv:1: an action is a number from 1 to 80, not '81'"),
        ("intervals", "901.5,904", "904,901.5", r"csv:2: the part ends at 901.5 s, and begins at 904 s"),
        ("Moments in Time", "walking,11", "running,11", r"csv:2: a line is `class/file.mp4,class,3,1`"),
        ("Diving48", '"label": 1,', '"label": "1",', r"entry 0 \(from 0\): label, start_frame and end_frame are whole"),
        ("Diving48", '"vid_name": "8', '"vid_name": "/8', r"entry 0 \(from 0\): '/8hIfRbtP7Bg_00001' is no id"),
        ("Kinetics, JSON", "[59.0, 69.0]", "[59.0]", r"'-3B32lodo2M': segment is \[start, end\] in seconds"),
        ("COIN, steps", '"recipe_type": 13', '"recipe_type": "a/b"', r"recipe_type: 'a/b' is no id of a video"),
        ("COIN, tasks", '"start": 6', '"start": "6"', r"start and end is \[start, end\] in seconds"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("Label Studio", "fps", r"task 5: timeline labels count frames, .* give it as `fps`"),
        ("EPIC-KITCHENS, verbs", "label", r"say `label`=verb, noun or action, not None"),
        ("EPIC-KITCHENS, actions in frames", "fps", r"csv:2: P01/rgb_frames/P01_01 is a folder of frames: .* `fps`"),
        (
            "ActivityNet, a subset by its name",
            "subset",
            r"no video of the subset training or train; there are: Test \(1\), V",
        ),
        ("COIN, steps", "label", r"say `label`=task or `label`=step, not None"),
        ("Diving48", "fps", r"entry 1 \(from 0\): begins at frame 30: say at which rate frames were counted, `fps`"),
        ("CVAT, tracks", "fps", r"xml:19: frames are counted here, and only the video tells their times: .*a b.mp4: "),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    refused(tmp_path, name, "", "", words, **{option: None})


def test_which_tier_and_which_attribute(tmp_path):
    two = (
        samples.ELAN.replace('REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1"', "X")
        .replace(
            "</TIER>\n</ANN",
            "<ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1='ts1' TIME_SLOT_REF2='ts4'>"
            "<ANNOTATION_VALUE>hi</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>\n</ANN",
        )
        .replace("</REF_ANNOTATION>", "</X>")
    )
    (tmp_path / "one.eaf").write_text(two)
    with pytest.raises(DataError, match=r"which tier has the labels: action, gloss\? Say it with `label`"):
        open_list(tmp_path / "one.eaf")
    records, classes = open_list(tmp_path / "one.eaf", options={"label": "gloss"})
    assert (classes, records[0].end_seconds) == (("hi",), 4.0)
    with pytest.raises(DataError, match=r"no tier 'x' with annotations .* tiers that have some: action, gloss"):
        open_list(tmp_path / "one.eaf", options={"label": "x"})
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


def test_frames_have_the_times_of_the_video(tmp_path):
    """Which begins with its sound, 12 frames before its pictures; at 25 per second."""
    make_late_clip(tmp_path / "a b.mp4", late=Fraction(12, 25), frames=60)
    (tmp_path / "annotations.xml").write_text(samples.CVAT_VIDEO.replace('frame="50"', 'frame="55"'))
    records, _ = open_list(tmp_path / "annotations.xml")
    found = [(record.start_seconds, record.end_seconds) for record in records]
    assert found[0] == (pytest.approx(0.88, abs=1e-3), pytest.approx(1.28, abs=1e-3))
    assert found[1] == (pytest.approx(2.68, abs=1e-3), None)  # up to frame 99, which is not there
    (tmp_path / "annotations.xml").write_text(samples.CVAT_VIDEO.replace('frame="50"', 'frame="60"'))
    with pytest.raises(DataError, match=r"xml:19: frame 60 lies behind the end of a b.mp4"):
        open_list(tmp_path / "annotations.xml")


def test_annotators_who_differ_are_not_mixed(tmp_path):
    tasks = json.loads(json.dumps(samples.LABEL_STUDIO[1:2]))
    tasks[0]["annotations"] *= 2
    path = tmp_path / "a.json"
    path.write_text(json.dumps(tasks))
    assert len(open_list(path)[0]) == 1
    tasks[0]["annotations"].append({"result": []})
    path.write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r"task 6: has 3 annotations that differ; keep one of them"):
        open_list(path)


def test_numbers_without_a_header_are_seconds_only_where_they_have_fractions(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a.mp4,0,250,jump\nb.mp4,10,20,run\n")
    with pytest.raises(DataError, match=r"list.csv: `a.mp4,0,250,jump`: are the two numbers seconds .*or frames\?"):
        open_list(path)
    records, classes = open_list(path, format="intervals")
    assert (records[1].start_seconds, records[1].end_seconds, classes) == (10.0, 20.0, ("jump", "run"))
    path.write_text("a.mp4,0,250.5,jump\n")
    assert open_list(path)[0].form == "intervals"


def test_what_a_reader_left_out_is_said(tmp_path):
    notes = {}
    for name in PARTS:
        sample = SAMPLES[name]
        source, root = sample.write(tmp_path / re.sub(r"\W", "", name))
        notes[name] = "; ".join(open_list(source, root=root, options=sample.options)[0].notes)
    assert notes["CVAT, tags of a project"].startswith("1 shapes in single pictures or frames are no labels")
    assert notes["Label Studio"] == (
        "1 results of other kinds (boxes, texts, ratings) are no labels of clips; 1 tasks without a label are left out"
    )
    assert notes["ELAN"] == "1 annotations without text are left out"
    assert "1 parts end before they begin and are left out, such as " in notes["ActivityNet"]
    assert "'sJFgo9H6zNo': annotations 1 (from 0)" in notes["ActivityNet"]
    assert notes["HACS clips"] == "1 clips that do not show their class are left out"
    assert notes["THUMOS"] == "1 ambiguous parts are left out"


def test_pictures_of_via_2_and_other_xml_are_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"_via_settings": {}, "_via_img_metadata": {}}')
    with pytest.raises(DataError, match="no known list in JSON"):
        open_list(tmp_path / "a.json")
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    with pytest.raises(DataError, match=r"a.xml:1: <annotation> is no known list in XML: CVAT has <annotations>"):
        open_list(tmp_path / "a.xml")
    for form, words in (("cvat", "<annotation> is no export of CVAT"), ("elan", "<annotation> is no document of ELAN")):
        with pytest.raises(DataError, match=words):
            open_list(tmp_path / "a.xml", format=form)


def test_names_stay_below_the_root(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    assert name_below(tmp_path, ["in/a.mp4", "b.mp4"]) == "in/a.mp4"
    assert name_below(tmp_path, ["../in/a.mp4"]) == "a.mp4"
    assert name_below(tmp_path, ["/etc/passwd"]) == "passwd"
    assert name_below(tmp_path, ["C:\\me\\a.mp4", "in/a.mp4"]) == "in/a.mp4"
    for bad in ("", ".", "..", "a/b", "a\\b", "a\0", None, 7):
        with pytest.raises(DataError, match=r"^here: .* is no id of a video"):
            check_id(bad, "here")


def test_a_part_that_training_reads(tmp_path):
    """From an export to frames: the record's part of the video, and no others."""
    from vidtok.data.dataset import clock_seconds, open_record, part

    make_clip(tmp_path / "a b.mp4", frames=60)
    (tmp_path / "annotations.xml").write_text(samples.CVAT_VIDEO.replace('frame="50"', 'frame="55"'))
    records, _ = open_list(tmp_path / "annotations.xml")
    with open_record(records[0], backend="pyav") as reader:
        assert part(records[0], clock_seconds(reader)) == (10, 20)
    with open_record(records[1], backend="pyav") as reader:
        assert part(records[1], clock_seconds(reader)) == (55, 60)
