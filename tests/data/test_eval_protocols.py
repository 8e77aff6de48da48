"""Published protocols: which frames, which crops and which scores they give, worked out by plain loops."""

import math
from typing import get_args

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from vidtok.build_data import eval_views
from vidtok.choices import EvalProtocol
from vidtok.config_io import load_config, load_config_text, to_yaml
from vidtok.data.eval_protocols import PROTOCOLS
from vidtok.errors import ConfigError
from vidtok.infer.evaluate import Predictions

FRAMES, STRIDE, SIZE, SHORT_SIDE = 16, 4, 224, 256
CLIPS = {
    "pyslowfast_10x3": 10, "mmaction2_10x3": 10, "scenic_4x3": 4, "videomae_5x3": 5, "vjepa2_2x3": 2, "vjepa2_4x3": 4,
    "vjepa2_8x3": 8, "charades_10x3": 10, "something_1x3": 1,
}  # fmt: skip


def config(name, *overrides):
    loss = "sigmoid" if name == "charades_10x3" else "softmax"
    stride = 1 if name == "something_1x3" else STRIDE
    shape = [f"data.frames={FRAMES}", f"data.stride={stride}", f"data.size={SIZE}", f"data.short_side={SHORT_SIDE}"]
    return load_config(
        ROOT / "configs/motion_vivit_tl8.yaml", [*shape, f"train.loss={loss}", f"eval.protocol={name}", *overrides]
    )


def plain_clips(name, length):
    """The frames of each clip, frame by frame as the authors take them; T = 16, every 4th frame."""
    n, whole = CLIPS[name], FRAMES * STRIDE
    clips = []
    for i in range(n):
        if name in ("pyslowfast_10x3", "charades_10x3"):
            start = max(length - whole, 0) * i / n
            clips.append([min(int(start + k * (whole - 1) / (FRAMES - 1) + 1e-9), length - 1) for k in range(FRAMES)])
        elif name == "mmaction2_10x3":
            start = round(i * max(length - (FRAMES - 1) * STRIDE - 1, 0) / (n - 1))
            clips.append([(start + k * STRIDE) % length for k in range(FRAMES)])
        elif name == "scenic_4x3":
            start = int(i * max(length - whole, 0) / (n - 1) + 1e-9)
            clips.append([(start + k * STRIDE) % length for k in range(FRAMES)])
        elif name == "videomae_5x3":
            kept = list(range(0, length, STRIDE))
            kept += [kept[-1]] * (FRAMES - len(kept))
            start = int(i * (len(kept) - FRAMES) / (n - 1) + 1e-9)
            clips.append(kept[start : start + FRAMES])
        elif name == "something_1x3":
            edges = [round(k * (length - 1) / FRAMES) for k in range(FRAMES + 1)]
            clips.append([(edges[k] + edges[k + 1]) // 2 for k in range(FRAMES)])
        elif length // n > whole:
            clips.append([min(int(v), whole - 1) + i * (length // n) for v in np.linspace(0, whole, FRAMES)])
        else:
            last = min(whole, length) - 1
            own = [*np.linspace(0, last, last // STRIDE), *[last] * (FRAMES - last // STRIDE)]
            apart = (length - whole) // (n - 1) if length > whole else 0
            clips.append([min(int(v), last - 1) + i * apart for v in own])
    return clips


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("length", [40, 250, 601])
def test_clips_and_crops(name, length):
    views = eval_views(config(name))
    found = views.views(torch.arange(length).double() / 25, np.random.default_rng(0))
    expected = [(clip, crop) for clip in plain_clips(name, length) for crop in range(3)]
    assert [(view.indices.tolist(), view.crop) for view in found] == expected
    # A picture of 340 x 256: the shorter side becomes the crop's but with scenic, which cuts out of 256.
    side = SHORT_SIDE if name == "scenic_4x3" else SIZE
    width = side * 340 // 256
    boxes = views.boxes((side, width))
    middle = {"scenic_4x3": -(-(width - SIZE) // 2), "pyslowfast_10x3": -(-(width - SIZE) // 2)}
    middle["charades_10x3"] = middle["pyslowfast_10x3"]
    end = (width - SIZE) // 2 * 2 if name == "mmaction2_10x3" else width - SIZE
    assert [box.left for box in boxes] == [0, middle.get(name, (width - SIZE) // 2), end]
    assert {box.top for box in boxes} == {16 if name == "scenic_4x3" else 0}
    assert views.short_side == side


@pytest.mark.parametrize("name", CLIPS)
def test_scores_of_one_view_of_clips_and_of_all_from_one_pass(name):
    """Two videos, every view's logits known; each of the three figures by a loop over its views."""
    settings = config(name)
    views, kind = eval_views(settings), settings.train.loss
    logits = torch.randn(2, CLIPS[name] * 3, 5, generator=torch.Generator().manual_seed(1)).double()
    found = Predictions(indices=(0, 1), video_ids=("a", "b"), labels=((0,), (1,)), logits=logits, failures=())

    def score(row):
        if kind == "sigmoid":
            return [1 / (1 + math.exp(-value)) for value in row]
        return [math.exp(value) / sum(math.exp(other) for other in row) for value in row]

    def plain(video, chosen):
        rows = [logits[video, place].tolist() for place in chosen]
        if name == "scenic_4x3":
            return score([sum(column) / len(rows) for column in zip(*rows, strict=True)])
        scored = zip(*map(score, rows), strict=True)
        return [max(column) if name == "charades_10x3" else sum(column) / len(rows) for column in scored]

    n = CLIPS[name]
    places = {"all": range(3 * n), "clips": range(1, 3 * n, 3), "one": [(n - 1) // 2 * 3 + 1]}
    for which, view in (("all", None), ("clips", views.centres_of), ("one", views.single_of)):
        scores = found.scores(settings.eval.aggregate, kind=kind, view=view)
        for video in (0, 1):
            assert scores[video].tolist() == pytest.approx(plain(video, places[which]), abs=1e-12)


def test_a_protocol_decides_over_the_file_and_against_what_contradicts_it():
    assert set(PROTOCOLS) == set(get_args(EvalProtocol)) == set(CLIPS)
    settings = config("pyslowfast_10x3")
    assert (settings.eval.clips, settings.eval.crops, settings.eval.aggregate) == (10, 3, "scores")  # the file has 4
    assert config("pyslowfast_10x3", "eval.clips=10").eval.clips == 10
    again = load_config_text(to_yaml(settings), source="again")
    assert again.eval == settings.eval
    assert load_config_text(to_yaml(settings), ["eval.protocol=videomae_5x3"], source="again").eval.clips == 5
    with pytest.raises(ConfigError, match=r"eval: clips 7: the protocol pyslowfast_10x3 has 10; leave one of the two"):
        config("pyslowfast_10x3", "eval.clips=7")
    with pytest.raises(ConfigError, match=r"eval\.protocol: .*'pyslowfast_30'"):
        load_config_text(to_yaml(settings), ["eval.protocol=pyslowfast_30"], source="again")


@pytest.mark.parametrize(
    ("name", "override", "told"),
    [
        ("charades_10x3", "train.loss=softmax", "charades_10x3 is one of sigmoid scores, but train.loss is softmax"),
        ("something_1x3", "data.stride=2", r"without a stride, but data\.stride is 2: .*\(data\.sampling segments\)"),
        ("videomae_5x3", "data.fit=squeeze", r"videomae_5x3 has 3 crops, but data\.fit is squeeze, not crop"),
    ],
)
def test_what_a_protocol_cannot_be_run_with(name, override, told):
    with pytest.raises(ConfigError, match=told):
        config(name, override, *(["data.short_side=null"] if "fit" in override else []))


def test_validation_in_training_sees_what_training_does():
    settings = config("videomae_5x3", "data.short=repeat")
    assert eval_views(settings).clip.sampling == "videomae"
    single = eval_views(settings, single=True)
    assert (single.clip.sampling, single.clip.short, single.short_side) == ("vidtok", "repeat", SHORT_SIDE)
