"""List files: separators, oddities, and errors that name the line."""

import os
import pickle

import pytest

from vidtok.data.lists import check_files, check_labels, read_classes, read_folder, read_list
from vidtok.errors import DataError


def write(folder, text, name="train.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", ", ";", "   "])
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
    with pytest.raises(DataError, match=r"a.mp4.* 2 labels; one is needed.*set train.loss=sigmoid"):
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


def test_records_behave_as_a_sequence_and_travel(tmp_path):
    records = pickle.loads(pickle.dumps(read_list(write(tmp_path, "a.mp4 0\nb.mp4 1\nc.mp4 2\n"))))
    assert len(records) == 3
    assert records[-1] == records[2]
    assert [r.video_id for r in records] == ["a.mp4", "b.mp4", "c.mp4"]
    with pytest.raises(IndexError):
        records[3]


def test_folder_per_class(tmp_path):
    for name in ("run/b.mp4", "run/deep/a.AVI", "jump/x.webm", "jump/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    records, classes = read_folder(tmp_path)
    assert classes == ("jump", "run")
    assert [(r.video_id, r.labels[0]) for r in records] == [
        (os.path.join("jump", "x.webm"), 0),
        (os.path.join("run", "b.mp4"), 1),
        (os.path.join("run", "deep", "a.AVI"), 1),
    ]
    assert [r.labels[0] for r in read_folder(tmp_path, classes=["run", "walk", "jump"])[0]] == [2, 0, 0]
    with pytest.raises(DataError, match="'run' is none of the 1 classes"):
        read_folder(tmp_path, classes=["jump"])


def test_folders_without_classes_or_videos(tmp_path):
    with pytest.raises(DataError, match="no sub-folders"):
        read_folder(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(DataError, match=r"no videos or pictures.*\.mp4 .*\.jpg"):
        read_folder(tmp_path)


def test_pictures_are_videos_too(tmp_path):
    (tmp_path / "n01").mkdir()
    names = ["a.JPEG", "b.jpg", "c.png", "d.webp", "e.bmp", "f.mp4"]
    for name in [*names, "g.xml"]:
        (tmp_path / "n01" / name).touch()
    records, classes = read_folder(tmp_path)
    assert classes == ("n01",)
    assert [r.video_id for r in records] == [os.path.join("n01", name) for name in names]


def test_classes(tmp_path):
    assert read_classes(write(tmp_path, "a\nb c\r\n\n", "classes.txt")) == ("a", "b c")
    for text, message in [
        ("a\n\nb\n", r":2: an empty line"),
        ("a\nb\na\n", r":3: .* line 1 already"),
        ("", "no class names"),
    ]:
        with pytest.raises(DataError, match=message):
            read_classes(write(tmp_path, text, "classes.txt"))
    with pytest.raises(DataError, match="no such class file"):
        read_classes(tmp_path / "none.txt")


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
