"""Files of features."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vidtok.errors import ConfigError
from vidtok.runs import feature_files
from vidtok.runs.feature_files import ENDINGS, FeatureRow, read_features, write_features


def shard(path: Path, count: int, *, first: float = 0.0) -> Path:
    features = torch.arange(count * 6, dtype=torch.float32).reshape(count, 2, 3) + first
    save_file({"features": features, "seconds": torch.arange(count * 4.0).double().reshape(count, 4) / 10}, path)
    return path


@pytest.fixture
def rows(tmp_path) -> list[FeatureRow]:
    a, b = shard(tmp_path / "a", 2), shard(tmp_path / "b", 1, first=100.0)
    return [
        FeatureRow(name="é.mp4", file=a, row=0),
        FeatureRow(name="b.mp4", file=b, row=0),
        FeatureRow(name="é.mp4", file=a, row=1),
    ]


def test_a_row_is_read_alone(rows):
    assert rows[2].read("features").tolist() == [[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]
    assert rows[2].read("seconds").tolist() == [0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_written_is_read(rows, tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"f{ending}"
    write_features(out, rows, told="of it")
    told, found = read_features(out)
    assert told == "of it"
    assert list(found) == ["é.mp4", "b.mp4"]
    features, seconds = found["é.mp4"]
    assert (features.dtype, seconds.dtype) == (torch.float32, torch.float64)
    assert torch.equal(features, torch.arange(12.0).reshape(2, 2, 3))
    assert torch.equal(seconds, torch.arange(8.0).double().reshape(2, 4) / 10)
    assert torch.equal(found["b.mp4"][0], torch.arange(6.0).reshape(1, 2, 3) + 100)


def test_other_programs_read_them(rows, tmp_path):
    write_features(tmp_path / "f.npz", rows, told="of it")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["names"].tolist() == ["é.mp4", "b.mp4", "é.mp4"]
        assert file["features"].shape == (3, 2, 3)
    write_features(tmp_path / "f.safetensors", rows, told="of it")
    tensors = load_file(tmp_path / "f.safetensors")
    assert {key: tuple(value.shape) for key, value in tensors.items()} == {"features": (3, 2, 3), "seconds": (3, 4)}
    assert float(tensors["features"][1, 0, 0]) == 100.0
    size = int.from_bytes((tmp_path / "f.safetensors").read_bytes()[:8], "little")
    assert size % 8 == 0
    header = json.loads((tmp_path / "f.safetensors").read_bytes()[8 : 8 + size])
    assert json.loads(header["__metadata__"]["names"]) == ["é.mp4", "b.mp4", "é.mp4"]


@pytest.mark.parametrize("ending", ENDINGS[:2])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(rows, tmp_path, ending, monkeypatch):
    out = tmp_path / f"f{ending}"
    write_features(out, rows, told="old")
    names = sorted(path.name for path in tmp_path.iterdir())

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(feature_files, "_blocks", full)
    with pytest.raises(OSError, match="No space left"):
        write_features(out, rows, told="new")
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert read_features(out)[0] == "old"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_of_something_else_is_told(tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"f{ending}"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match=r"f\.\w+: (?:no features of vidtok|not a Parquet file); name another file"):
        read_features(file)
