"""Files of arrays that are not what they claim: bombs, headers of gigabytes, pickles, damage."""

import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import called
from tests.runs.scored import write_scored
from vidtok.errors import CheckpointError, ConfigError, DataError
from vidtok.models.weights.flax_file import read_vit_npz
from vidtok.models.weights.pth import read_pth
from vidtok.runs.feature_files import read_features
from vidtok.text.arrays import SHRUNK, UNPACKED_BYTES, check_stored, read_arrays
from vidtok.train.checkpoint import load_file

PACKED = zipfile.ZIP_DEFLATED


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


def bomb(path: Path, name: str = "scores.npy", *, claimed: int = 10 * 2**30) -> Path:
    """A small archive whose directory says that a member unpacks to as much as it can, four gigabytes."""
    with zipfile.ZipFile(path, "w", PACKED) as archive:
        archive.writestr(name, header((claimed // 4,)) + bytes(2**20))
    data = path.read_bytes()
    entry = data.rindex(b"PK\1\2")
    size, own = data[entry + 24 : entry + 28], len(header((claimed // 4,))) + 2**20
    assert int.from_bytes(size, "little") == own
    path.write_bytes(data[: entry + 24] + (2**32 - 2).to_bytes(4, "little") + data[entry + 28 :])
    return path


def test_arrays_come_as_they_were_written(tmp_path: Path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"]), "c": np.zeros((0, 3), bool)}
    np.savez_compressed(tmp_path / "a.npz", **arrays, f=np.asfortranarray(arrays["a"]))
    found = read_arrays(tmp_path / "a.npz")
    assert found.keys() == {*arrays, "f"}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    np.testing.assert_array_equal(found["f"], arrays["a"])
    np.savez_compressed(tmp_path / "zeros.npz", zeros=np.zeros(2**24, np.uint8))  # 1000 times as small
    assert read_arrays(tmp_path / "zeros.npz")["zeros"].shape == (2**24,)


def test_what_unpacks_to_gigabytes_is_refused_before_there_is_memory_for_it(tmp_path: Path):
    path = bomb(tmp_path / "a.npz")
    size = path.stat().st_size
    assert size < 2**20 < UNPACKED_BYTES + SHRUNK * size < 2**32
    tracemalloc.start()
    with pytest.raises(DataError, match=rf"a\.npz: would unpack from {size} bytes to {2**32 - 2}: not read"):
        read_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("scores.npy", header((10, 2**28)) + bytes(100))
    with pytest.raises(DataError, match=rf"a\.npz: 'scores.npy' claims {10 * 2**30} bytes and has 228: not read"):
        read_arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()


def test_objects_and_damage_are_refused(tmp_path: Path):
    class Code:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "a.npz"
    np.savez(path, scores=np.array([Code()], dtype=object))
    with pytest.raises(DataError, match=r"a\.npz: 'scores.npy' holds Python's objects, which can run code: not read"):
        read_arrays(path)
    assert not (tmp_path / "ran").exists()
    np.savez(path, scores=np.arange(1000))
    whole = path.read_bytes()
    for wrong in (b"", b"PK", whole[:-30], whole[:600] + b"zzzz" + whole[604:], whole.replace(b"NUMPY", b"NUMPI")):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=r"a\.npz: no whole \.npz file: "):
            read_arrays(path)
    with pytest.raises(DataError, match=r"none\.npz: no whole \.npz file: No such file"):
        read_arrays(tmp_path / "none.npz")


def test_all_that_reads_such_files_refuses_them_in_its_own_words(tmp_path: Path):
    run = write_scored(tmp_path / "run", torch.eye(2), [(0,), (1,)], ["a", "b"])
    bomb(run / "predictions.npz")
    for words in (("report", run), ("compare", run, run)):
        done = called(*words)
        assert (done.returncode, "predictions.npz: would unpack from " in done.stderr) == (2, True), words
    with pytest.raises(ConfigError, match=r"b\.npz: no features of vidtok"):
        read_features(bomb(tmp_path / "b.npz"))
    with pytest.raises(CheckpointError, match=r"b\.npz: would unpack from \d+ bytes"):
        read_vit_npz(tmp_path / "b.npz")


def test_a_file_of_torch_that_was_packed_is_refused(tmp_path: Path):
    path = tmp_path / "a.pth"
    torch.save({"model": {"w": torch.zeros(2**16)}}, path)
    check_stored(path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "b.pth", "w", PACKED) as packed:
        for member in archive.infolist():
            packed.writestr(member.filename, archive.read(member))
    size = (tmp_path / "b.pth").stat().st_size
    told = rf"b\.pth: has {size} bytes and would unpack to \d+, which no file of torch does: not read"
    for read, error in ((check_stored, DataError), (read_pth, CheckpointError), (load_file, CheckpointError)):
        with pytest.raises(error, match=told):
            read(tmp_path / "b.pth")
    assert read_pth(path).keys() == {"w"}
    (tmp_path / "c.pth").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"c\.pth: damaged: "):
        check_stored(tmp_path / "c.pth")
