"""README.md of a saved model: its code runs, and what it says is true."""

import re
from dataclasses import replace

import vidtok
from vidtok.models.about import About
from vidtok.models.card import model_card
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding

SMALL = {"width": 24, "depth": 1, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": (32, 48)}


def card_of(folder, **changes):
    about = changes.pop("about", None)
    model = create_model("vivit", classes=["jump", "run"], **SMALL, **changes)
    model.about = about
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
    assert "0.02 million parameters, 0.00 billion multiply-adds for a clip." in text
    assert 'model.predict("a.mp4").top()' in text
    for untrue in ("pushed", "PytorchModelHubMixin", "has been"):
        assert untrue not in text


def test_what_it_learned_from_and_how_good_it_is(tmp_path):
    about = About(
        data="72 videos of clips | <b>",
        weights="lite0, from a package (Apache-2.0)",
        protocol="val n=17 failed=0 | top1 0.41",
        figures={"top1": (0.41, 0.2, 0.65), "mAP": (0.5, None, None)},
    )
    text = card_of(tmp_path, feeding=Feeding(stride=3, short_side=40), about=about)
    assert "- Videos: 72 videos of clips \\| &lt;b&gt;\n" in text
    assert "- Weights that it began with: lite0, from a package (Apache-2.0)\n" in text
    assert "| top1 | 0.410 | 0.200 to 0.650 |\n| mAP | 0.500 |  |\n" in text
    assert "Not stated. Whoever passes this model on writes it here" in text
    assert "license:" not in text.split("---")[1]
    model = vidtok.load(tmp_path)
    assert model.about == about
    model.about = replace(about, licence="apache-2.0")
    model.save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "license: apache-2.0\n" in text.split("---")[1]
    assert text.rstrip().endswith("## Licence\n\napache-2.0")
    assert vidtok.load(tmp_path, classes=["swim", "sit"]).about is None  # figures of other classes


def test_what_is_not_known_is_not_said(tmp_path):
    text = card_of(tmp_path)
    assert "predict" not in text
    assert text.count("not recorded.") == 3
    assert "may bind it" not in text
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
