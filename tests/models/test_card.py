"""README.md of a saved model: its code runs, and what it says is true."""

import re

import vidtok
from vidtok.models.card import model_card
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding

SMALL = {"width": 24, "depth": 1, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": (32, 48)}


def card_of(folder, **changes):
    model = create_model("vivit", classes=["jump", "run"], **SMALL, **changes)
    model.save_pretrained(folder)
    return (folder / "README.md").read_text(encoding="utf-8")


def test_the_code_in_it_runs(tmp_path, monkeypatch):
    feeding = Feeding(stride=3, short_side=40, scores="sigmoid")
    text = card_of(tmp_path, feeding=feeding, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 0.25))
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    scope: dict = {}
    exec(code.replace('"FOLDER"', repr(str(tmp_path))), scope)
    assert scope["clips"].shape == (1, 4, 3, 32, 48)
    assert scope["scores"].tolist() == [[0.5, 0.5]]  # a new head gives logits of 0: sigmoid's half, not softmax's share
    assert scope["model"].feeding == feeding
    assert "sigmoid" in code


def test_what_it_says(tmp_path):
    feeding = Feeding(stride=3, short_side=40, target_fps=25.0)
    text = card_of(tmp_path, feeding=feeding, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 0.25))
    assert text.startswith("---\nlibrary_name: vidtok\n")
    assert "4 frames of 32 x 48 pixels" in text
    assert "mean 0.1, 0.2, 0.3" in text
    assert "deviation 1, 1, 0.25" in text
    assert "one of 3 source frames of the video at 25 frames per second (sampling vidtok)" in text
    assert "the shorter side scaled to 40 pixels, the centre cut out" in text
    assert "jump, run" in text
    for untrue in ("pushed", "PytorchModelHubMixin", "has been", "predict"):
        assert untrue not in text


def test_what_is_not_known_is_not_said(tmp_path):
    text = card_of(tmp_path)
    assert "How clips were taken from videos (their stride, the scale of the picture) is not known." in text
    assert "softmax" in text
    description = vidtok.load(tmp_path).describe()
    other = {"stride": 1, "target_fps": None, "sampling": "segments", "short": None, "short_side": 40, "fit": "squeeze"}
    told = model_card({**description, "clip": {**other, "scores": "softmax"}, "class_names": list("abcdefghijkl")})
    assert "one frame from each of as many equal parts of the video" in told
    assert "bent to the clip's shape" in told
    assert "a, b, c, d, e, f, g, h … (12 in all)" in told


def test_a_readme_of_ones_own_stays(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    assert card_of(tmp_path) == "mine"


def test_a_readme_of_the_model_before_goes(tmp_path):
    card_of(tmp_path, feeding=Feeding(stride=3, short_side=40))
    model = create_model("vivit", classes=["swim", "run", "sit"], **{**SMALL, "frames": 8})
    model.save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "swim, run, sit" in text
    assert "8 frames of 32 x 48" in text
    assert "one of 3 source frames" not in text
