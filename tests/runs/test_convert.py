"""The converting tool: other people's files in, a file of vidtok out."""

from pathlib import Path

import msgpack
import pytest
import torch
from safetensors.torch import save_file

import tests.golden
from tests.conftest import tool
from tests.golden.case import Case
from tests.models.weights.test_flax_file import tree_of
from vidtok.cli.convert import run
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.create import create_model
from vidtok.models.weights.casvit import load_casvit
from vidtok.models.weights.files import Weights, read_weights
from vidtok.runs.convert import best_model, class_names


@pytest.fixture
def golden_folder():
    assert tests.golden.__file__ is not None
    return Path(tests.golden.__file__).parent


def case_state(folder, name):
    return {key: torch.from_numpy(array) for key, array in Case.read(folder / f"{name}.json").state().items()}


@pytest.fixture
def casvit(golden_folder, tmp_path):
    path = tmp_path / "casvit.pth"
    torch.save({"model": case_state(golden_folder, "casvit_xs_224"), "epoch": 1}, path)
    return path


def test_a_file_is_recognised_converted_and_read_again(casvit, golden_folder, tmp_path):
    out = tmp_path / "made" / "casvit.safetensors"
    done = tool("convert_weights", casvit, "--to", out)
    assert done.returncode == 0, done.stderr
    first, *report = done.stdout.splitlines()
    assert first == f"{casvit}: pickle, CAS-ViT's authors -> casvit_xs, 1000 classes"
    assert report[0].endswith("0 resized, 0 skipped, 0 parameters of the network keep their start")
    assert report[-1] == f"written: {out}"
    want = create_model("casvit_xs")
    load_casvit(want.network, case_state(golden_folder, "casvit_xs_224"))
    got = create_model("casvit_xs", weights=out)
    assert all(torch.equal(a, b) for a, b in zip(want.state_dict().values(), got.state_dict().values(), strict=True))


def test_class_names_travel_with_the_weights(casvit, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"class {i}\n" for i in range(1000)))
    out = tmp_path / "out.safetensors"
    assert run([str(casvit), "--to", str(out), "--model", "casvit_xs", "--classes", str(tmp_path / "names.txt")]) == 0
    assert read_weights(out).classes == tuple(f"class {i}" for i in range(1000))
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    with pytest.raises(CheckpointError, match=r"tells 1000 classes apart, but .*names.txt names 2"):
        run([str(casvit), "--to", str(out), "--classes", str(tmp_path / "names.txt")])


@pytest.mark.parametrize(
    ("case", "name"),
    [("stvit_s_224", "stvit_small"), ("maxvit_tiny_tf_224", "maxvit_tiny_tf_224"), ("casvit_xs_224_dist", "casvit_xs")],
)
def test_published_sizes_are_recognised(case, name, golden_folder, tmp_path):
    keys = Case.read(golden_folder / f"{case}.json").meta["checkpoint_keys"]
    state = {key: torch.zeros(()).expand(shape) for key, shape in keys.items()}
    weights = Weights(path=tmp_path, format="pickle", state=state, classes=None)
    assert best_model(weights, class_names(weights, None)) == name


def test_what_cannot_be_converted_is_told(casvit, golden_folder, tmp_path):
    out = str(tmp_path / "out.safetensors")
    with pytest.raises(ConfigError, match=r"--to .*give it that ending"):
        run([str(casvit), "--to", str(tmp_path / "out.pth")])
    with pytest.raises(CheckpointError, match=r"these weights fit CASViT, not STViT"):
        run([str(casvit), "--to", out, "--model", "stvit_small"])
    path = tmp_path / "checkpoint"
    path.write_bytes(msgpack.packb({"params": tree_of(Case.read(golden_folder / "vivit_m2_tiny.json").state())}))
    with pytest.raises(CheckpointError, match="that fit no published size"):
        run([str(path), "--to", out])
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "strange.safetensors")
    with pytest.raises(CheckpointError, match="name a model with --model"):
        run([str(tmp_path / "strange.safetensors"), "--to", out])
    done = tool("convert_weights", tmp_path / "none.pth", "--to", out)
    assert (done.returncode, done.stderr.strip()) == (2, f"error: {tmp_path / 'none.pth'}: no such checkpoint file")
