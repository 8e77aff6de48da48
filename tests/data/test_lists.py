"""Lists of any form: `path label…` lines in all their oddities, and what is checked of every list."""

import pytest

from vidtok.data.lists import check_files, check_labels, describe, numbers_to_labels, open_list, read_list
from vidtok.errors import DataError


def write(folder, text, name="train.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", ", ";", "   ", "::", " :: "])
def test_separators(tmp_path, separator):
    records = read_list(write(tmp_path, f"a.mp4{separator}0\nb/c d.mp4{separator}11\n"))
    assert [(r.video_id, r.labels) for r in records] == [("a.mp4", (0,)), ("b/c d.mp4", (11,))]
    assert records[1].path == tmp_path / "b/c d.mp4"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_mark_blank_lines_and_line_ends(tmp_path, end):
    path = write(tmp_path, end.join(["a.mp4 0", "", "  ", "b.mp4 1", ""]), encoding="utf-8-sig")
    assert [r.labels[0] for r in read_list(path)] == [0, 1]


def test_odd_names(tmp_path):
    names = ['name with spaces é 中文 "q".mp4', "-dash 7.mp4", "a,b.mp4", "x 0 y.mp4"]
    records = read_list(write(tmp_path, "".join(f"{name} {i}\n" for i, name in enumerate(names))))
    assert [r.video_id for r in records] == names


def test_quotes_around_a_path_go(tmp_path):
    assert read_list(write(tmp_path, '"a b.mp4" 3\n'))[0].video_id == "a b.mp4"


def test_several_labels(tmp_path):
    records = read_list(write(tmp_path, "a.mp4 3 5\nb.mp4 1\n"))
    assert [r.labels for r in records] == [(3, 5), (1,)]
    classes = [str(i) for i in range(6)]
    with pytest.raises(DataError, match=r"a.mp4.* 2 labels; one is needed.*set `several`"):
        check_labels(records, classes)
    check_labels(records, classes, several=True)
    with pytest.raises(DataError, match=r"label 5 of 'a.mp4' is too high"):
        check_labels(records, classes[:5], several=True)


def test_root_moves_relative_paths_only(tmp_path):
    records = read_list(write(tmp_path, "a.mp4 0\n/b/c.mp4 1\n"), root="/videos")
    assert [str(r.path) for r in records] == ["/videos/a.mp4", "/b/c.mp4"]


@pytest.mark.parametrize("line", ["b.mp4", "b.mp4 x", "b.mp4,1", "1"])
def test_a_line_without_label_is_named(tmp_path, line):
    text = "".join(f"v{i}.mp4 0\n" for i in range(16)) + line + "\n"
    with pytest.raises(DataError, match=r"train.csv:17: no whole number"):
        read_list(write(tmp_path, text))


def test_a_negative_label_is_named(tmp_path):
    with pytest.raises(DataError, match=r"train.csv:2: label -1 is negative"):
        read_list(write(tmp_path, "a.mp4 0\nb.mp4 -1\n"))


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), ("\n \n", "is empty")])
def test_empty_lists(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_list(write(tmp_path, text))


def test_a_missing_list_says_how_to_write_one(tmp_path):
    with pytest.raises(DataError, match=r"no such list.*\n.*one line per video"):
        read_list(tmp_path / "none.csv")


def test_text_of_another_encoding(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("é.mp4 0\n".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_list(path)


def test_labels_beyond_the_classes_name_the_video(tmp_path):
    records = read_list(write(tmp_path, "a.mp4 0\nb.mp4 4\nc.mp4 1\n"))
    check_labels(records, list("abcde"))
    with pytest.raises(DataError, match=r"label 4 of 'b.mp4' is too high: there are 4 classes"):
        check_labels(records, list("abcd"))


def test_missing_files_are_named(tmp_path):
    records = read_list(write(tmp_path, "".join(f"v{i}.mp4 0\n" for i in range(5000))))
    with pytest.raises(DataError, match=r"1000 of 1000 files looked for are missing") as error:
        check_files(records)
    assert str(error.value).count(".mp4") == 3
    (tmp_path / "v0.mp4").touch()
    check_files(records, most=1)


def test_a_pattern_of_pictures_is_there_where_its_folder_is(tmp_path):
    records = read_list(write(tmp_path, "one/img_*.jpg 0\n"))
    with pytest.raises(DataError, match=r"1 of 1 files looked for are missing"):
        check_files(records)
    (tmp_path / "one").mkdir()
    check_files(records)


def test_videos_without_labels(tmp_path):
    path = write(tmp_path, "path,labels\na.mp4,\nb.mp4,1\n")
    records = read_list(path)
    check_labels(records, "ab", several=True)
    with pytest.raises(DataError, match=r"'a.mp4' has no labels; one is needed.* or none, set `several`"):
        check_labels(records, "ab")
    with pytest.raises(DataError, match="none of the 1 videos has a label; training and testing need them"):
        check_labels(records.subset([0]), "ab")
    with pytest.raises(DataError, match="none of the 1 videos has a label"):
        check_labels(records.subset([0]), "ab", several=True)


def test_a_list_is_described(tmp_path):
    path = write(tmp_path, "a.mp4 0\nb.mp4 1\n")
    assert describe(read_list(path)) == f"{path}: 2 records, read as paths (`path label…` lines)"
    path = write(tmp_path, '{"a.mp4": "none", "b.mp4": "run"}', "avid_val.json")
    assert describe(read_list(path)).endswith(
        "read as avid (AViD's JSON object); 1 videos that show no action (class none or empty) make the class 'none'"
    )


def test_classes_come_from_the_list_or_to_it(tmp_path):
    path = write(tmp_path, "path,label\na.mp4,run\nb.mp4,jump\n")
    records, classes = open_list(path)
    assert (classes, [record.labels for record in records]) == (("jump", "run"), [(1,), (0,)])
    records, classes = open_list(path, classes=["run", "walk", "jump"])
    assert (classes, [record.labels for record in records]) == (("run", "walk", "jump"), [(0,), (2,)])
    with pytest.raises(DataError, match=r"train.csv:3: 'jump' is none of the 2 classes \(the nearest: 'jumps'\)"):
        open_list(path, classes=["run", "jumps"])
    assert open_list(write(tmp_path, "a.mp4 0\n"))[1] is None


def test_a_single_label_holds_all_the_time(tmp_path):
    """A clip outside of its time would have no label, and the softmax nothing to aim at."""
    (tmp_path / "list.csv").write_text("path,labels\na.mp4,0\nb.mp4,1:2.5-4\n")
    records = read_list(tmp_path / "list.csv")
    check_labels(records, "ab", several=True)
    with pytest.raises(DataError, match=r"label of 'b.mp4' has a time of its own.*start and end, or set `several`"):
        check_labels(records, "ab")


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("k\\\\a.mp4", "k/a.mp4"),
        ("k/caf\u00e9.mp4", "k/cafe\u0301.mp4"),
        ("k/cafe\u0301.mp4", "k/caf\u00e9.mp4"),
        ("k/a.MP4", "k/a.mp4"),
        ("K/a.mp4", "k/a.Mp4"),
    ],
)
def test_names_that_nearly_fit_are_told(tmp_path, listed, there):
    listed = listed.replace("\\\\", "\\")
    (tmp_path / "k").mkdir()
    (tmp_path / there).touch()
    path = write(tmp_path, f"{listed} 0\n")
    with pytest.raises(DataError) as error:
        check_files(read_list(path))
    assert f"{tmp_path / listed} (on disk: {there})" in str(error.value)
    assert "writes a list with the names as they are on disk" in str(error.value)


def test_one_class_alone_is_refused(tmp_path):
    records = read_list(write(tmp_path, "a.mp4 0\n"))
    check_labels(records, ["run"], several=True)
    with pytest.raises(DataError, match=r"one class alone, 'run': there is nothing to tell it from"):
        check_labels(records, ["run"])


def test_a_list_that_is_not_utf8_is_read_where_its_files_are(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes(b"a.mp4 0\n\xe9.mp4 1\n")
    with pytest.raises(DataError, match=r"train.txt: not a text file in UTF-8, and no file is called '.udce9.mp4'"):
        read_list(path)
    (tmp_path / "\udce9.mp4").touch()
    assert [record.labels for record in read_list(path)] == [(0,), (1,)]
    check_files(read_list(path).subset([1]))


def test_numbers_are_labels_unless_classes_are_called_by_others(tmp_path):
    records = read_list(write(tmp_path, "a.mp4 5\nb.mp4 3\nc.mp4 5\n"))
    assert numbers_to_labels(records, ["0", "1", "2", "3", "4", "5"]) is records
    assert numbers_to_labels(records, ["u", "v", "w", "x", "y", "z"]) is records
    named = numbers_to_labels(records, ["5", "3"])
    assert [record.labels for record in named] == [(0,), (1,), (0,)]
    assert "called by numbers (5, 3 …): the list's numbers are taken for names" in str(named.notes)
    with pytest.raises(DataError, match=r"train\.csv: 'b\.mp4'"):
        numbers_to_labels(records, ["5", "4"])
