"""The converting tool: other people's files in, a file of vidtok out."""

from pathlib import Path

import msgpack
import pytest
import torch
from safetensors.torch import save_file
from transformers import VivitConfig, VivitForVideoClassification

import tests.golden
from tests.conftest import called
from tests.golden.case import Case
from tests.models.weights.test_flax_file import tree_of
from vidtok.cli.convert import run
from vidtok.errors import CheckpointError, ConfigError
from vidtok.loading import load_model
from vidtok.models.create import create_model
from vidtok.models.weights.casvit import load_casvit
from vidtok.models.weights.files import Weights, read_weights
from vidtok.runs.convert import best_model, names_for


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
    done = called("convert", casvit, "--to", out)
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
    assert best_model(weights, names_for(weights, None)) == name


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
    done = called("convert", tmp_path / "none.pth", "--to", out)
    assert (done.returncode, done.stderr.strip()) == (2, f"error: {tmp_path / 'none.pth'}: no such checkpoint file")


def test_a_folder_of_transformers_is_converted_as_its_config_says(tmp_path, capsys):
    config = VivitConfig(
        image_size=[32, 48], num_frames=4, hidden_size=24, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=36, id2label={0: "walk", 1: "run"}, label2id={"walk": 0, "run": 1},
    )  # fmt: skip
    VivitForVideoClassification(config).save_pretrained(tmp_path / "folder")
    out = tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match=r"that fit several models: .*choose one with --model"):
        run([str(tmp_path / "folder"), "--to", str(out)])
    assert run([str(tmp_path / "folder"), "--to", str(out), "--model", "vivit_b16x2"]) == 0
    assert "note: heads=4 as the weights say, where vivit_b16x2 has 12" in capsys.readouterr().out
    model = load_model(out)
    assert (model.classes, model.architecture.frames, model.architecture.size) == (("walk", "run"), 4, (32, 48))
    assert model.network.blocks[0].mixers[0].heads == 4


@pytest.mark.slow
def test_the_grid_of_positions_is_said_where_nothing_tells_it(tmp_path):
    config = VivitConfig(num_frames=16, hidden_size=192, num_hidden_layers=12, num_attention_heads=3, num_labels=5,
                         intermediate_size=768)  # fmt: skip
    state = VivitForVideoClassification(config).state_dict()
    state["vivit.embeddings.position_embeddings"][0, 1:, 0] = torch.arange(8.0).repeat_interleave(196)
    path, out = tmp_path / "alone.pth", str(tmp_path / "out.safetensors")
    torch.save(state, path)
    for more in ([], ["--model", "vivit_ti16x2"]):
        with pytest.raises(CheckpointError, match=r"which grid of a clip these 1568 .*source_grid=\(t, h, w\)"):
            run([str(path), "--to", out, *more])
    assert run([str(path), "--to", out, "--source-grid", "8x14x14", "--model", "vivit_ti16x2"]) == 0
    table = load_model(out).network.encoder.position.table[..., 0].detach()
    torch.testing.assert_close(table[:, 3, 5], torch.linspace(0, 7, 16))
    for text in ("8x14", "8x14x0", "8 x 14 x 14", "8x14x14x1"):
        with pytest.raises(ConfigError, match=f"--source-grid {text}: time steps, rows and columns"):
            run([str(path), "--to", out, "--source-grid", text])


def test_converting_draws_nothing_from_the_callers_generators(casvit, tmp_path):
    before = torch.get_rng_state()
    assert run([str(casvit), "--to", str(tmp_path / "out.safetensors"), "--model", "casvit_xs"]) == 0
    assert torch.equal(torch.get_rng_state(), before)
