"""The network that travels with vidtok: what it is, and that it knows movement."""

import torch

from tests.conftest import ROOT
from vidtok.build import build_model
from vidtok.build_train import init_weights
from vidtok.config_io import load_config
from vidtok.data.motion import motion_clip
from vidtok.data.motion_render import MOTIONS
from vidtok.models.motion_start import MOTION_FILE, open_motion_start


def test_it_tells_movements_apart_and_reversed_ones_from_them():
    """Clips that it has not seen; a frame alone says nothing of their class."""
    model = open_motion_start()
    assert model.classes == tuple(MOTIONS)
    assert next(model.parameters()).dtype == torch.float32
    assert not model.training
    numbers = range(24)
    clips = torch.stack([motion_clip(k, split=1, seed=5, frames=12, size=(64, 64)) for k in numbers])
    with torch.no_grad():
        told, back = (model(each).argmax(dim=1).tolist() for each in (clips, clips.flip(1)))
    right = [k % len(MOTIONS) for k in numbers]
    opposite = [k ^ 1 for k in right]
    assert sum(one == other for one, other in zip(told, right, strict=True)) >= 20
    assert sum(one == other for one, other in zip(back, opposite, strict=True)) >= 20


def test_it_is_small_and_fits_the_config_that_starts_from_it():
    assert MOTION_FILE.stat().st_size < 3e6
    config = load_config(ROOT / "configs" / "own_small.yaml")
    assert config.train.init == "vidtok:motion_casvit"
    model = build_model(config, ["a", "b", "c"])
    report = init_weights(model, str(config.train.init))
    assert not report.notes, "the same clips, pixels and options"
    kept = dict(open_motion_start().network.named_parameters())
    other = [name for name, value in model.network.named_parameters() if not torch.equal(value, kept[name])]
    assert other == ["head.weight", "head.bias"], "of other classes"
