"""A checkpoint by its path: a file is read as a file, a folder as parts."""

import pytest

from vidtok.errors import CheckpointError
from vidtok.train import opening


def test_a_folder_is_read_in_parts_and_a_file_whole(tmp_path, monkeypatch):
    def refuse(words):
        def read(path):
            raise CheckpointError(f"{words}: {path.name}")

        return read

    monkeypatch.setattr("vidtok.train.shards.load_whole", refuse("parts"))
    monkeypatch.setattr(opening, "load_file", refuse("file"))
    (tmp_path / "step_00000001.shards").mkdir()
    with pytest.raises(CheckpointError, match=r"parts: step_00000001\.shards"):
        opening.load_checkpoint(tmp_path / "step_00000001.shards")
    with pytest.raises(CheckpointError, match=r"file: step_00000002\.pt"):
        opening.load_checkpoint(str(tmp_path / "step_00000002.pt"))


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"step_1\.pt: no such checkpoint file"):
        opening.load_checkpoint(tmp_path / "step_1.pt")
