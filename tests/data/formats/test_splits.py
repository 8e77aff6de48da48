"""Split files of UCF101 and HMDB51: parts, orders, and what is wrong in lines."""

import pytest

from tests.data.formats.samples import SAMPLES, UCF_CLASSES
from vidtok.data.lists import open_list, read_list
from vidtok.errors import DataError


def test_parts_and_splits_of_hmdb51(tmp_path):
    source, root = SAMPLES["HMDB51"].write(tmp_path)

    def names(file, part):
        records, classes = open_list(source.with_name(file), root=root, part=part)
        return [record.video_id for record in records], classes

    both = ("brush_hair", "wave")
    assert names("brush_hair_test_split1.txt", "train") == names("wave_test_split1.txt", "train")
    assert names("wave_test_split1.txt", "val") == (["brush_hair/b (1).avi", "wave/d.avi"], both)
    assert names("wave_test_split2.txt", "train") == (["wave/d.avi"], ("wave",))
    records, _ = open_list(source, root=root, classes=["wave", "x", "brush_hair"])
    assert [record.labels for record in records] == [(2,), (0,)]
    assert records.notes == ("split 1, train part, 2 classes",)
    source.write_text("d.avi 0\n")
    (source.parent / "brush_hair_test_split1.txt").unlink()
    with pytest.raises(DataError, match="split 1 has no video in its train part"):
        read_list(source)


@pytest.mark.parametrize("line", ["a.avi", "a.avi 3", "a.avi x", "1"])
def test_wrong_lines_of_hmdb51_are_named(tmp_path, line):
    path = tmp_path / "wave_test_split3.txt"
    path.write_text(f"a.avi 1\n{line}\n")
    with pytest.raises(DataError, match=rf"wave_test_split3.txt:2: a line is `name.avi 0`, 1 .* not '{line}'"):
        read_list(path)


def test_other_names_are_not_of_hmdb51(tmp_path):
    (tmp_path / "wave.txt").write_text("a.avi 1\n")
    with pytest.raises(DataError, match=r"called CLASS_test_split1.txt"):
        read_list(tmp_path / "wave.txt", format="hmdb51")


def test_numbers_of_ucf101_must_agree_with_the_folder(tmp_path):
    path = tmp_path / "trainlist01.txt"
    path.write_text("Archery/v_Archery_g01_c01.avi 3\nArchery/v_Archery_g01_c02.avi 2\n")
    with pytest.raises(DataError, match=r"classInd.txt: not there; it has the order of the classes. Or name a class f"):
        read_list(path, format="ucf101")
    (tmp_path / "classInd.txt").write_text(UCF_CLASSES)
    with pytest.raises(DataError, match=r"trainlist01.txt:2: number 2 of 'Archery', which is class 3 counted from 1"):
        read_list(path)
    (tmp_path / "classInd.txt").unlink()
    path.write_text("Archery/v_Archery_g01_c01.avi 1\n")
    assert read_list(path, format="ucf101", classes=["Archery"])[0].labels == (0,)


def test_folders_that_are_written_otherwise_than_their_files(tmp_path):
    """UCF101 itself has v_HandStandPushups files in the folder HandstandPushups."""
    path = tmp_path / "testlist01.txt"
    path.write_text("HandstandPushups/v_HandStandPushups_g01_c01.avi\n")
    (tmp_path / "classInd.txt").write_text("1 HammerThrow\n2 HandstandPushups\n")
    assert read_list(path)[0].labels == (1,)


@pytest.mark.parametrize("line", ["v_Archery_g01_c01.avi", "Archery/v_Archery_g01_c01", "Archery/a/b.avi x"])
def test_wrong_lines_of_ucf101_are_named(tmp_path, line):
    path = tmp_path / "testlist01.txt"
    path.write_text(f"Archery/v_Archery_g01_c01.avi\n{line}\n")
    with pytest.raises(DataError, match=r"testlist01.txt:2: a line is `Class/v_Class_g01_c01.avi`"):
        read_list(path, format="ucf101", classes=["Archery"])
