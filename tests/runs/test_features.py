"""`vidtok features`: files in every form, what goes on where it was stopped, and what is not mixed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.infer.test_predict import model
from tests.runs.commands import asks_for_the_defaults
from tests.video.clips import make_clip
from vidtok.cli import features
from vidtok.errors import ConfigError, DataError, ModelError
from vidtok.infer.features import VideoFeatures, extract_features
from vidtok.runs.feature_files import FeatureRow, read_features, write_features
from vidtok.runs.features import run_features

ENDINGS = ("npz", "safetensors", "parquet")


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """Three videos, and a saved model."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "videos").mkdir()
    for k, name in enumerate("abc"):
        make_clip(folder / "videos" / f"{name}.mp4", frames=12 + 5 * k)
    model().save_pretrained(folder / "model")
    return folder


def wanted(desk: Path, **options) -> dict[str, VideoFeatures]:
    found = extract_features(model(), sorted((desk / "videos").iterdir()), **options)
    return {str(each.path): each for each in found if isinstance(each, VideoFeatures)}


def check(file: Path, rows: dict[str, VideoFeatures]) -> None:
    _, found = read_features(file)
    assert list(found) == list(rows)
    for name, (values, seconds) in found.items():
        torch.testing.assert_close(values, rows[name].features, rtol=1e-4, atol=1e-5)
        assert torch.equal(seconds, rows[name].seconds)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_form_has_the_rows_with_names_and_times(desk, tmp_path, ending, capsys):
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'vidtok[parquet]'")
    out = tmp_path / "new" / f"f.{ending}"
    arguments = [
        str(desk / "videos"),
        "--model",
        str(desk / "model"),
        "--out",
        str(out),
        "--clips",
        "2",
        "--depth",
        "3",
    ]
    assert features.run(arguments) == 0
    assert f"{out}: 3 videos encoded, 0 before, 0 failed" in capsys.readouterr().out
    check(out, wanted(desk, clips=2, depth=3))
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    assert features.run([*arguments, "--tokens", "--out", str(tmp_path / f"t.{ending}")]) == 0
    check(tmp_path / f"t.{ending}", wanted(desk, clips=2, depth=3, kind="tokens"))


def test_other_libraries_read_the_files(desk, tmp_path):
    run_features(desk / "model", [desk / "videos"], out=tmp_path / "f.npz")
    run_features(desk / "model", [desk / "videos"], out=tmp_path / "f.safetensors")
    with np.load(tmp_path / "f.npz") as file:
        assert file["names"].tolist() == list(wanted(desk))
        values, seconds = file["features"], file["seconds"]
    other = load_file(tmp_path / "f.safetensors")
    np.testing.assert_array_equal(other["features"], values)
    np.testing.assert_array_equal(other["seconds"], seconds)
    assert (values.dtype, values.shape[0], seconds.shape) == (np.float32, 3, (3, 3))


@pytest.mark.parametrize("ending", ENDINGS[:2])
def test_a_stopped_call_goes_on_and_failures_are_tried_again(desk, tmp_path, ending, capsys, monkeypatch):
    folder, out = tmp_path / "videos", tmp_path / f"f.{ending}"
    shutil.copytree(desk / "videos", folder)
    (folder / "b.mp4").write_text("no video")
    arguments = [str(folder), "--model", str(desk / "model"), "--out", str(out)]
    assert features.run(arguments) == 1
    told = capsys.readouterr().out
    assert "b.mp4" in told
    assert "2 videos encoded, 0 before, 1 failed" in told
    assert [Path(name).name for name in read_features(out)[1]] == ["a.mp4", "c.mp4"]
    out.unlink()  # as a kill before the end leaves it
    shutil.copy(desk / "videos" / "b.mp4", folder / "b.mp4")
    assert features.run(arguments) == 0
    assert "1 videos encoded, 2 before, 0 failed" in capsys.readouterr().out
    whole = {str(folder / Path(name).name): each for name, each in wanted(desk).items()}
    check(out, whole)
    monkeypatch.setattr("vidtok.infer.features.clip_features", None)
    assert features.run(arguments) == 0, "what the file has is not encoded again"
    assert features.run([str(folder / "c.mp4"), *arguments[1:]]) == 0
    assert set(read_features(out)[1]) == set(whole), "videos that it had before stay"


def test_features_of_another_kind_are_not_mixed(desk, tmp_path):
    out = tmp_path / "f.npz"
    run_features(desk / "model", [desk / "videos" / "a.mp4"], out=out)
    before = out.read_bytes()
    for options in ({"depth": 1}, {"kind": "tokens"}, {"clips": 2}):
        with pytest.raises(ConfigError, match=r"features of another model, or of other --clips, --depth or --tokens"):
            run_features(desk / "model", [desk / "videos"], out=out, **options)
    other = model()
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1
    with pytest.raises(ConfigError, match="features of another model"):
        run_features(other, [desk / "videos"], out=out)
    assert out.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["f.npz"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"out": "x.txt"}, r"written as \.npz, \.safetensors, \.parquet"),
        ({"clips": 0}, "--clips counts from 1, got 0"),
        ({"depth": 99}, r"--depth 99: this network has depths 0 to \d+"),
        ({"sources": ["none.mp4"]}, "none.mp4: no such file or folder"),
    ],
)
def test_what_cannot_be_is_told(desk, tmp_path, options, words):
    given = {"sources": [desk / "videos"], "out": tmp_path / "f.npz", **options}
    with pytest.raises((ConfigError, DataError, ModelError), match=words):
        run_features(desk / "model", given.pop("sources"), **given)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_other_shapes_are_refused(tmp_path):
    from safetensors.torch import save_file

    for size in (2, 3):
        tensors = {"features": torch.zeros(1, size), "seconds": torch.zeros(1, 4, dtype=torch.float64)}
        save_file(tensors, tmp_path / f"{size}.safetensors")
    rows = [FeatureRow(name=f"{size}.mp4", file=tmp_path / f"{size}.safetensors", row=0) for size in (2, 3)]
    with pytest.raises(ConfigError, match=r"3\.mp4: features of \(3,\), where 2\.mp4 has \(2,\)"):
        write_features(tmp_path / "f.npz", rows, told="")


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("features", run_features, "--model", "a", "b.mp4", "--out", "c.npz")
