"""What the tests of build*.py and loading.py share: a small config, and runs that hold one checkpoint."""

from dataclasses import replace
from pathlib import Path

import torch

from tests.conftest import ROOT, small_run
from vidtok.build import build_model
from vidtok.config_io import load_config, to_yaml
from vidtok.train.checkpoint import Checkpoint, save_checkpoint
from vidtok.train.parallel import Parallel
from vidtok.train.state import RunState

ALONE = Parallel(device=torch.device("cpu"))


def config(motion, *overrides):
    _, cfg, *settings = small_run(motion, Path("unused"))
    return load_config(ROOT / cfg, [*settings, *overrides])


def saved_run(settings, folder):
    """A run's folder with one checkpoint; the model that it holds."""
    model = build_model(settings, "abcdefgh")
    state = Checkpoint(
        step=5, model=model.state_dict(), optimizer={}, config=to_yaml(settings), classes=tuple("abcdefgh"), bad={}
    )
    save_checkpoint(state, folder / "checkpoints")
    return model


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def described_run(settings, folder, **more):
    """The same, with a checkpoint that describes its model as training writes it."""
    model = build_model(settings, "abcdefgh")
    state = RunState(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    save_checkpoint(
        replace(state.checkpoint(config=to_yaml(settings), classes=tuple("abcdefgh")), step=5, **more),
        folder / "checkpoints",
    )
    return model
