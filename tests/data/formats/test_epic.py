"""EPIC-KITCHENS: verbs, nouns, and both."""

import pytest

from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.formats.epic import COLUMNS, read_epic_kitchens
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("EPIC-KITCHENS, verbs", "1 parts end before they begin and are left out, such as LIST:4"),
        ("EPIC-KITCHENS, actions in frames", "1 parts end before they begin and are left out, such as LIST:4"),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("EPIC-KITCHENS, verbs", "00:00:00.14", "0.14", r"train.csv:2: start_timestamp is written 00:01:02.345, not"),
        ("EPIC-KITCHENS, verbs", "open,1", "open,x", r"train.csv:2: verb_class is a number from 0 on, not 'x'"),
        ("EPIC-KITCHENS, verbs", ",P01_01,", ",../P01,", r"csv:2: video_id: '../P01' is no id of a video"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("EPIC-KITCHENS, verbs", "label", r"say `label`=verb, noun or action, not None"),
        ("EPIC-KITCHENS, actions in frames", "fps", r"csv:2: P01/rgb_frames/P01_01 is a folder of frames: .* `fps`"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})


def write(folder, *rows):
    path = folder / "list.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_classes_without_class_files_are_numbers(tmp_path):
    path = write(tmp_path, "P01,P01_01,01:02:03.5,01:02:04,3,10")
    (record,), classes = read_epic_kitchens(path, root=tmp_path, label="action")
    assert (record.start_seconds, record.end_seconds, classes) == (3723.5, 3724.0, ("verb 3 noun 10",))
    assert record.path == tmp_path / "P01" / "videos" / "P01_01.MP4"
    (record,), classes = read_epic_kitchens(path, root=tmp_path, label="verb", classes=["a", "b", "c", "d"])
    assert (record.labels, classes) == ((3,), ("a", "b", "c", "d"))
    assert read_epic_kitchens(path, root=tmp_path, label="noun")[0][0].labels == (10,)
    (tmp_path / "EPIC_100_verb_classes.csv").write_text("verb_id,class_key\n1,open\n0,take\n")
    assert read_epic_kitchens(path, root=tmp_path, label="verb")[1] == ("take", "open")
    assert read_epic_kitchens(path, root=tmp_path, label="action")[1] == ("verb 3 noun 10",), "3 is not in the file"
    path = write(tmp_path, "P01,P01_01,00:00:03,00:00:04,1,0")
    assert read_epic_kitchens(path, root=tmp_path, label="action")[1] == ("open noun 0",)
    for text, words in (
        ("id,word\n0,a\n", "the columns id and key"),
        ("id,key\n1,a\n", "1 classes need the ids 0 to 0"),
    ):
        (tmp_path / "EPIC_100_verb_classes.csv").write_text(text)
        with pytest.raises(DataError, match=words):
            read_epic_kitchens(path, root=tmp_path, label="verb")


def test_files_have_their_own_rate_and_frames_the_one_that_is_said(tmp_path):
    path = write(tmp_path, "P01,P01_01,00:00:03,00:00:04,1,0")
    for name, is_folder in (("P01_01.avi", False), ("P01/P01_01.mp4", False), ("P01/videos/P01_01", True)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).mkdir() if is_folder else (tmp_path / name).touch()
        (record,), _ = read_epic_kitchens(path, root=tmp_path, label="verb", fps=50.0)
        assert (record.path, record.fps) == (tmp_path / name, 50.0 if is_folder else None)
    with pytest.raises(DataError, match=r"list.csv:3: 7 cells, but the header has 6"):
        read_epic_kitchens(
            write(tmp_path, "P,P1,00:00:03,00:00:04,1,0", "P,P1,0,0,1,0,x"), root=tmp_path, label="verb", fps=1.0
        )
