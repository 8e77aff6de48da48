"""Kinetics' CSV: where videos are looked for, and what is wrong in lines."""

import pytest

from vidtok.data.lists import open_list, read_list
from vidtok.errors import DataError

HEADER = "label,youtube_id,time_start,time_end,split\n"
NAME = "abcdefghi-__000003_000013"


def write(folder, *lines):
    path = folder / "annotations.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return path


def find(folder, *files, label="air drumming", split="train", **options):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    path = write(folder, f"{label},abcdefghi-_,3,13,{split}")
    records, _ = open_list(path, root=folder, options=options)
    return records[0], records.notes


@pytest.mark.parametrize(
    "file",
    [
        f"{NAME}.mp4",
        f"{NAME}.MKV",
        "abcdefghi-__3_13.webm",
        "abcdefghi-_.mp4",
        f"air drumming/{NAME}.mp4",
        f"air_drumming/{NAME}.mp4",
        f"AirDrumming/{NAME}.mp4",
        f"train/{NAME}.mp4",
        f"train/air_drumming/{NAME}.mp4",
        "train/air drumming/abcdefghi-_.avi",
    ],
)
def test_common_copies(tmp_path, file):
    record, _ = find(tmp_path, file, "other/abcdefghi-_.mp4", "ABCDEFGHI-_.mp4")
    assert record.path == tmp_path / file
    assert record.video_id == NAME


@pytest.mark.parametrize("split", ["validate", "val"])
@pytest.mark.parametrize("folder", ["val", "validate"])
def test_the_validation_folder_has_two_names(tmp_path, split, folder):
    assert find(tmp_path, f"{folder}/{NAME}.mp4", split=split)[0].path == tmp_path / folder / f"{NAME}.mp4"


def test_folders_of_frames_do_too(tmp_path):
    assert find(tmp_path, f"train/{NAME}/00001.jpg")[0].path == tmp_path / "train" / NAME


def test_what_is_not_there_has_its_usual_name(tmp_path):
    record, _ = find(tmp_path, "air drumming/abcdefghi-_.txt", "val/abcdefghi-_.mp4")
    assert record.path == tmp_path / "air drumming" / f"{NAME}.mp4"


def test_a_name_without_times_is_the_clip_or_the_whole_video(tmp_path):
    record, notes = find(tmp_path, "abcdefghi-_.mp4")
    assert (record.start_seconds, record.end_seconds) == (None, None)
    assert notes == ("1 files are called ID.mp4 and are taken for the trimmed clips",)
    record, notes = find(tmp_path, untrimmed=True)
    assert (record.start_seconds, record.end_seconds, notes) == (3.0, 13.0, ())
    record, notes = find(tmp_path, f"{NAME}.mp4", untrimmed=True)
    assert (record.path.name, record.start_seconds, notes) == (f"{NAME}.mp4", None, ())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run,b,0,10", "4 cells, but the header has 5"),
        (",b,0,10,train", "no label"),
        ("run,b,x,10,train", "time_start and time_end are seconds, not 'x' and '10'"),
        ("run,b,11,10,train", "time_start and time_end are seconds, not '11' and '10'"),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, message):
    with pytest.raises(DataError, match=f"annotations.csv:3: {message}"):
        read_list(write(tmp_path, "run,a,0,10,train", line))


@pytest.mark.parametrize(("start", "end"), [("10", "10"), ("0", "0.5"), ("1.25", "2")])
def test_times_may_meet_and_have_fractions(tmp_path, start, end):
    (tmp_path / "a.mp4").touch()
    path = write(tmp_path, f"run,a,{start},{end},train")
    records, _ = open_list(path, root=tmp_path, options={"untrimmed": True})
    assert (records[0].start_seconds, records[0].end_seconds) == (float(start), float(end))


@pytest.mark.parametrize(("start", "end"), [("1.2.3", "5"), ("-1", "5"), ("1", ""), ("1", "1e3")])
def test_times_are_plain_numbers(tmp_path, start, end):
    with pytest.raises(DataError, match=r"annotations.csv:2: time_start and time_end are seconds"):
        read_list(write(tmp_path, f"run,a,{start},{end},train"))


def test_a_list_without_the_column_split(tmp_path):
    path = tmp_path / "annotations.csv"
    path.write_text("label,youtube_id,time_start,time_end\nair drumming,abcdefghi-_,3,13\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / f"{NAME}.mp4").touch()
    (tmp_path / f"{NAME}.mp4").touch()
    assert read_list(path, root=tmp_path)[0].path == tmp_path / f"{NAME}.mp4"


def test_classes_may_be_given(tmp_path):
    path = write(tmp_path, "run,a,0,10,train", "jump,b,0,10,train")
    assert [record.labels for record in read_list(path, classes=["run", "walk", "jump"])] == [(0,), (2,)]
    with pytest.raises(DataError, match=r"annotations.csv:3: 'jump' is none of the 2 classes"):
        read_list(path, classes=["run", "walk"])


def test_a_list_without_lines(tmp_path):
    with pytest.raises(DataError, match="the list is empty"):
        read_list(write(tmp_path))
