"""The embedded data set by its command."""

from vidtok.cli import motion as make_motion
from vidtok.data.lists import check_files, read_classes, read_list


def test_the_folder_is_ready_for_training(tmp_path, capsys):
    assert make_motion.run([str(tmp_path / "set"), "--train", "5", "--val", "3", "--seed", "7"]) == 0
    assert "5 training and 3 validation clips" in capsys.readouterr().out
    for name, count in (("train", 5), ("val", 3)):
        records = read_list(tmp_path / "set" / f"{name}.csv")
        assert len(records) == count
        check_files(records)
    assert len(read_classes(tmp_path / "set" / "classes.txt")) == 8
