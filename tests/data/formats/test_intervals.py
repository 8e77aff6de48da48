"""Lists of times: AVA, intervals, HACS' clips, THUMOS."""

from pathlib import Path

import pytest

from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.formats.intervals import HACS_COLUMNS, is_ava, is_intervals, is_thumos, read_ava, read_hacs_clips
from vidtok.data.lists import open_list
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("HACS clips", "1 clips that do not show their class are left out"),
        ("THUMOS", "1 ambiguous parts are left out"),
        ("AVA", ""),
        ("intervals", ""),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("HACS clips", "15.2", "x", r"csv:2: 'x' is no number of seconds"),
        ("HACS clips", "22.5,-1", "22.5,0", r"csv:3: label is 1 or -1, not '0'"),
        ("THUMOS", "76.4", "7x", r"Diving_val.txt:1: a line is `video_validation_0000266  72.8 76.4`"),
        ("AVA", ",80,1", ",81,1", r"csv:1: an action is a number from 1 to 80, not '81'"),
        ("intervals", "901.5,904", "904,901.5", r"csv:2: the part ends at 901.5 s, and begins at 904 s"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


def test_numbers_without_a_header_are_seconds_only_where_they_have_fractions(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a.mp4,0,250,jump\nb.mp4,10,20,run\n")
    with pytest.raises(DataError, match=r"list.csv: `a.mp4,0,250,jump`: are the two numbers seconds .*or frames\?"):
        open_list(path)
    records, classes = open_list(path, format="intervals")
    assert (records[1].start_seconds, records[1].end_seconds, classes) == (10.0, 20.0, ("jump", "run"))
    path.write_text("a.mp4,0,250.5,jump\n")
    assert open_list(path)[0].form == "intervals"


def test_told_from_other_lists():
    box = "id,902,0.1,0.2,0.3,1,80"
    assert is_ava([box, "id,903", f"{box},1"])
    for other in ("id,903,0.1", "id,x", "id,902,0.1,0.2,0.3,1.5,80", "a.mp4,902,0.1,0.2,0.3,1,80", f"{box},1,2"):
        assert not is_ava([box, other]), other
    assert not is_ava(["id,903"])
    assert is_intervals(["a.mp4, 1.5 ,2,run", "id,0,3,jump high"])
    for other in ("a,1,2", "a,x,2,run", "a,1,x,run", "a,1,2,3", "a,1,2,b.mp4", "a,1,2,run,x"):
        assert not is_intervals(["a.mp4,1.5,2,run", other]), other
    assert not is_intervals([])
    line = "video_validation_0000266  72.8 76.4"
    assert is_thumos(Path("Diving_val.txt"), [line])
    assert not is_thumos(Path("Diving.txt"), [line])
    assert not is_thumos(Path("Diving_val.txt"), [line, "video_0000266  72.8 76.4"])


def test_moments_of_ava(tmp_path):
    path = tmp_path / "ava.csv"
    path.write_text("a,1,0.1,0.2,0.3,0.4,80,1\na,1,0.1,0.2,0.3,0.4,1,2\na,902\n")
    records, classes = read_ava(path, root=tmp_path)
    parts = [(each.labels, each.start_seconds, each.end_seconds, each.video_id, each.path.name) for each in records]
    assert parts == [((0, 79), 0.0, 2.5, "a", "a.mp4"), ((), 900.5, 903.5, "a", "a.mp4")]
    assert (len(classes), classes[0], classes[79]) == (80, "action 1", "action 80")
    names = 'label { name: "stand" label_id: 12 }\nlabel {\n  name: "sit"\n  id: 80\n}\nlabel { name: "x" id: 81 }'
    (tmp_path / "ava_action_list_v2.2.pbtxt").write_text(names)
    classes = read_ava(path, root=tmp_path)[1]
    assert (len(classes), classes[10:12], classes[79]) == (80, ("action 11", "stand"), "sit")
    assert read_ava(path, root=tmp_path, classes=["a"] * 80)[1] == ("a",) * 80
    (tmp_path / "ava_action_list_v2.2.pbtxt").write_text("label")
    with pytest.raises(DataError, match=r"pbtxt: no `name: \"…\"` and `id: …` in it"):
        read_ava(path, root=tmp_path)
    (tmp_path / "ava_action_list_v2.2.pbtxt").unlink()
    for wrong in ("a,1,0.1,0.2,0.3,0.4,0,1", "a,1,0.1", "a,x"):
        path.write_text(f"a,902\n{wrong}\n")
        with pytest.raises(DataError, match=r"ava.csv:2: (a line is|an action is)"):
            read_ava(path, root=tmp_path)


def test_parts_of_hacs(tmp_path):
    path = tmp_path / "hacs.csv"
    rows = ["run,a,training,1,3,1", "run,b,validation,2,4.5,1", "run,c,validation,2,4,-1", "run,d,testing,2,4,1"]
    path.write_text("\n".join([",".join(HACS_COLUMNS), *rows]))
    records, classes = read_hacs_clips(path, root=tmp_path, part="val")
    (own,) = records
    assert (own.path.name, own.video_id, own.start_seconds, own.end_seconds) == ("v_b.mp4", "b", 2.0, 4.5)
    assert (classes, records.notes) == (("run",), ("1 clips that do not show their class are left out",))
    records, _ = read_hacs_clips(path, root=tmp_path)
    assert ([each.video_id for each in records], records.notes) == (["a"], ())
    path.write_text("\n".join([",".join(HACS_COLUMNS), *rows, "run,e,training,1,3"]))
    with pytest.raises(DataError, match=r"hacs.csv:6: 5 cells, but the header has 6"):
        read_hacs_clips(path, root=tmp_path)


def test_a_path_has_no_other_id_and_an_id_is_looked_for(tmp_path):
    (tmp_path / "b.webm").touch()
    (tmp_path / "list.csv").write_text("in/a.mp4,0.5,2,run\nb,1,2,run\nc,1,2,run\n")
    records, _ = open_list(tmp_path / "list.csv")
    found = [(str(each.path.relative_to(tmp_path)), each.video_id) for each in records]
    assert found == [("in/a.mp4", "in/a.mp4"), ("b.webm", "b"), ("c.mp4", "c")]


def test_published_parts_that_end_before_they_begin_are_counted(tmp_path):
    (tmp_path / "hacs.csv").write_text(
        "\n".join([",".join(HACS_COLUMNS), "run,a,training,3,1,1", "run,b,training,1,3,1"])
    )
    (tmp_path / "Diving_val.txt").write_text("video_validation_0000266  76.4 72.8\nvideo_validation_0000266  1 2\n")
    for name in ("hacs.csv", "Diving_val.txt"):
        records, _ = open_list(tmp_path / name)
        assert len(records) == 1
        assert records.notes[0].startswith(
            f"1 parts end before they begin and are left out, such as {tmp_path / name}:"
        )
    (tmp_path / "Diving.txt").write_text("x")
    with pytest.raises(DataError, match=r"Diving.txt: a file of THUMOS is called CLASS_val.txt or CLASS_test.txt"):
        open_list(tmp_path / "Diving.txt", format="thumos")
