"""Any file of weights: its format told by content, wrappers taken off, code never run."""

import argparse
import os
from dataclasses import replace

import msgpack
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.golden.case import FOLDER, Case
from tests.models.test_golden import SYSTEMS
from tests.models.weights.test_flax_file import tree_of
from vidtok.errors import CheckpointError
from vidtok.models.classifier import Classifier
from vidtok.models.create import create_model
from vidtok.models.weights.files import file_format, read_weights
from vidtok.models.weights.origin import Origin

SIZES = {"width": 24, "depth": 2, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 32}
CONV = {"frames": 1, "size": 64, "widths": (8, 12, 16, 20), "depths": (1, 1, 1, 1)}


def vivit(classes=("a", "b", "c"), **changes):
    return create_model("vivit_b16x2_fsa", classes=classes, **{**SIZES, **changes})


def state_of(seed=0):
    torch.manual_seed(seed)
    options = {"img_size": 32, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 5, "patch_size": 8}
    return timm.create_model("vit_tiny_patch16_224", **options).state_dict()


def write(path, state, wrapper=None):
    content = {wrapper: state, "epoch": 3, "args": argparse.Namespace(lr=0.1)} if wrapper else state
    torch.save(content, path)
    return path


@pytest.mark.parametrize("wrapper", [None, "model", "module", "state_dict", "model_state", "model_ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_are_taken_off(tmp_path, wrapper, prefix):
    state = {f"{prefix}{key}": tensor for key, tensor in state_of().items()}
    weights = read_weights(write(tmp_path / "any.name", state, wrapper))
    assert weights.format == "pickle"
    assert weights.state.keys() == state_of().keys()
    assert weights.scheme is not None
    assert weights.scheme.name == "timm ViT"


def test_averaged_weights_come_first(tmp_path):
    torch.save({"model": state_of(0), "model_ema": state_of(1)}, tmp_path / "x.pth")
    assert torch.equal(read_weights(tmp_path / "x.pth").state["pos_embed"], state_of(1)["pos_embed"])


def test_two_keys_of_one_name_are_refused(tmp_path):
    state = {"a.weight": torch.zeros(1), "module.a.weight": torch.ones(1)}
    with pytest.raises(CheckpointError, match="two keys have the same name"):
        read_weights(write(tmp_path / "x.pth", state))


def test_formats_are_told_by_content(tmp_path):
    state = state_of()
    save_file(state, tmp_path / "a.bin")
    torch.save(state, tmp_path / "b.safetensors")
    torch.save(state, tmp_path / "legacy", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "d.npz", a=np.ones(2))
    (tmp_path / "checkpoint_7").write_bytes(msgpack.packb({"params": tree_of({"a/kernel": np.ones(2, np.float32)})}))
    names = ("a.bin", "b.safetensors", "legacy", "d.npz", "checkpoint_7")
    assert [file_format(tmp_path / name) for name in names] == ["safetensors", "pickle", "pickle", "npz", "flax"]
    assert [len(read_weights(tmp_path / name).state) for name in names] == [len(state)] * 3 + [1, 1]


def test_files_of_no_known_format_are_refused(tmp_path):
    for content in (b"", b"{}", b"PK\x03\x04 cut", b"GIF89a", b"\x07\x00\x00\x00\x00\x00\x00\x00{"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(
            CheckpointError, match=r"x: (no file of weights. Looked for|a damaged .npz or .pth|a damaged .safetensors)"
        ):
            read_weights(tmp_path / "x")
    with pytest.raises(CheckpointError, match="none: no such checkpoint file"):
        read_weights(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"no model.safetensors in this folder"):
        read_weights(tmp_path)


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch, new_format):
    monkeypatch.chdir(tmp_path)
    content = {"model": state_of(), "args": RunsCode()}
    torch.save(content, "bad.safetensors", _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match=r"bad.safetensors cannot be read as weights"):
        read_weights(tmp_path / "bad.safetensors")
    assert not (tmp_path / "ran").exists()


def test_a_scenic_file_goes_into_its_network(tmp_path, golden_folder):
    case = Case.read(golden_folder / "vivit_m2_tiny.json")
    tree = {"optimizer": {"target": tree_of(case.state())}}
    (tmp_path / "checkpoint").write_bytes(msgpack.packb(tree))
    weights = read_weights(tmp_path / "checkpoint")
    depth = case.meta["hyper_parameters"]["temporal_num_layers"]
    assert weights.options("vivit_factorised") == {"time_depth": depth}
    assert weights.options("vivit") == {}
    with pytest.raises(CheckpointError, match=r"checkpoint \(scenic .*\): embedding/kernel: its shape"):
        weights.load_into(vivit())


def same(one, other, keys):
    return [key for key in keys if torch.equal(one.state_dict()[key], other.state_dict()[key])] == list(keys)


def official_file(file):
    facts = Case.read(file).meta.get("checkpoint_file")
    return file.parent / facts["file"] if facts else None


# They lie only in the folder that VIDTOK_GOLDEN names.
OFFICIAL = [file for file in sorted(FOLDER.glob("*.json")) if (found := official_file(file)) and found.exists()]


@pytest.mark.parametrize("file", OFFICIAL, ids=lambda file: file.stem)
def test_official_files_give_the_official_output(file):
    case = Case.read(file)
    built = SYSTEMS[case.meta["system"]](case)
    weights = read_weights(official_file(file))
    assert weights.scheme is not None
    assert not weights.scheme.load(built.module, weights.state).missing
    built.module.eval()
    tolerance = case.meta["recommended_tolerance"]
    want = torch.from_numpy(case.want.get("output_model_ema", case.want["output"]))
    got = built.call(*case.inputs()).detach()
    torch.testing.assert_close(got, want, atol=tolerance["output_atol"], rtol=tolerance["output_rtol"])


def test_a_model_is_told_what_weights_were_made_for_where_both_say_it(tmp_path):
    made = vivit(["a"])
    weights = read_weights(write(tmp_path / "x.pth", {"x": torch.zeros(1)}))
    assert weights.origin is None
    assert weights.made_for(made) == ()
    assert replace(weights, origin=Origin(source="it", frames=4, size=32)).made_for(made) == ()
    other = replace(weights, origin=Origin(source="it", frames=8, size=(32, 48)))
    assert other.made_for(made) == ("the weights were made for clips of 8 x 32 x 48, the model's are 4 x 32 x 32",)
    for origin in (Origin(source="it"), Origin(source="it", frames=8)):
        assert replace(weights, origin=origin).made_for(made) == ()
    unknown = Classifier(made.network, mean=(0.5,) * 3, std=(0.5,) * 3, classes=("a",))
    assert other.made_for(unknown) == ()
