from pathlib import Path

import msgpack
import numpy as np
import pytest
import torch

from tests import golden
from tests.golden.case import Case
from tests.models.test_golden import SYSTEMS
from vidtok.errors import CheckpointError
from vidtok.models.weights.flax_file import read_flax, read_vit_npz
from vidtok.models.weights.scenic import load_scenic, time_depth


def entry(array, code=1):
    return msgpack.ExtType(code, msgpack.packb((array.shape, array.dtype.name, array.tobytes())))


def chunked(array, size):
    """As flax writes arrays beyond its limit: flat chunks, and the shape, both as dictionaries of counted keys."""
    flat = array.ravel()
    parts = [flat[i : i + size] for i in range(0, len(flat), size)]
    return {
        "__msgpack_chunked_array__": True,
        "shape": {str(i): n for i, n in enumerate(array.shape)},
        "chunks": {str(i): entry(part) for i, part in enumerate(parts)},
    }


@pytest.mark.parametrize("place", [("optimizer", "target"), ("opt", "target"), ("target",), ("params",)], ids="/".join)
def test_parameters_are_found_wherever_they_lie(tmp_path, place):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    parameters = {"a": {"b": {"kernel": entry(array)}, "c": chunked(array, 5), "empty": {}}, "d": entry(array[0, 0])}
    tree = {"global_step": 7, "rng": entry(np.zeros(2, np.uint32)), "model_state": {}, "z": entry(np.array(1.5), 3)}
    branch = tree
    for key in place[:-1]:
        branch = branch.setdefault(key, {"state": {"step": 3}})
    branch[place[-1]] = parameters
    path = tmp_path / "checkpoint_7"
    path.write_bytes(msgpack.packb(tree))
    got = read_flax(path)
    assert list(got) == ["a/b/kernel", "a/c", "d"]
    assert torch.equal(got["a/b/kernel"], torch.from_numpy(array))
    assert torch.equal(got["a/c"], torch.from_numpy(array))


def test_bfloat16_arrays(tmp_path):
    values = torch.tensor([1.0, -2.5], dtype=torch.bfloat16)
    data = msgpack.packb(((2,), "bfloat16", values.view(torch.uint8).numpy().tobytes()))
    (tmp_path / "c").write_bytes(msgpack.packb({"params": {"a": msgpack.ExtType(1, data)}}))
    assert torch.equal(read_flax(tmp_path / "c")["a"], values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x01", "whole flax checkpoint"),
        (msgpack.packb([1]), "is a dictionary, this is list"),
        (msgpack.packb({"weights": {"a": 1}}), "no parameters under any of .* it has weights"),
        (msgpack.packb({"params": {"a": {"b": "text"}}}), "a/b: an array was expected"),
        (msgpack.packb({"params": {"a": msgpack.ExtType(9, b"")}}), "unknown kind 9"),
        (msgpack.packb({"params": {"a": entry(np.zeros(2, np.complex64)).data}})[:-3], "whole flax checkpoint"),
    ],
    ids=range(6),
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_flax(tmp_path / "file")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nothing_here"):
        read_flax(tmp_path / "nothing_here")
    with pytest.raises(CheckpointError, match=r"nothing\.npz"):
        read_vit_npz(tmp_path / "nothing.npz")


def tree_of(arrays):
    tree = {}
    for key, array in arrays.items():
        *path, last = key.split("/")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = entry(array)
    return tree


@pytest.mark.parametrize("name", ["vivit_m1_tiny", "vivit_m2_tiny"])
def test_a_network_read_from_a_file_in_their_form_gives_the_official_output(tmp_path, name):
    case = Case.read(Path(golden.__file__).parent / f"{name}.json")
    path = tmp_path / "checkpoint_1"
    path.write_bytes(msgpack.packb({"optimizer": {"target": tree_of(case.state())}}))
    arrays = read_flax(path)
    assert set(arrays) == set(case.meta["checkpoint_keys"])
    assert time_depth(arrays) == case.meta["hyper_parameters"].get("temporal_num_layers", 0)
    built = SYSTEMS["vivit"](case)
    load_scenic(built.module, arrays)
    got = built.call(*case.inputs())
    tolerance = case.meta["recommended_tolerance"]["output_atol"]
    torch.testing.assert_close(got.detach(), torch.from_numpy(case.want["output"]), atol=tolerance, rtol=1e-5)


def test_npz_files_of_a_vit_get_scenic_s_names(tmp_path):
    block = "Transformer/encoderblock_0"
    names = {
        f"{block}/LayerNorm_0/scale": f"{block}/LayerNorm_0/scale",
        f"{block}/LayerNorm_2/scale": f"{block}/LayerNorm_1/scale",
        f"{block}/MlpBlock_3/Dense_0/bias": f"{block}/MlpBlock_0/Dense_0/bias",
        f"{block}/MultiHeadDotProductAttention_1/out/bias": f"{block}/MultiHeadDotProductAttention_0/out/bias",
        "head/bias": "output_projection/bias",
        "Transformer/encoder_norm/scale": "Transformer/encoder_norm/scale",
        "embedding/kernel": "embedding/kernel",
    }
    np.savez(tmp_path / "vit.npz", **{name: np.full(2, i) for i, name in enumerate(names)})
    got = read_vit_npz(tmp_path / "vit.npz")
    assert {key: int(value[0]) for key, value in got.items()} == {new: i for i, new in enumerate(names.values())}
