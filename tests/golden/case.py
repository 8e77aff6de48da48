"""A golden case: what the official code gave for synthetic weights, and how vidtok is held against it."""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

from tests.golden.synthetic import synthetic_state, weights_check
from vidtok.models.weights.transfer import Transfer

FOLDER = Path(os.environ.get("VIDTOK_GOLDEN") or Path(__file__).parent)


class UnknownVariant(AssertionError):
    """A case of a system, or with a hyper-parameter, that vidtok does not know."""


@dataclass(frozen=True)
class Case:
    """The two files of a case: what was done, and what came out."""

    meta: dict
    want: dict[str, np.ndarray]
    folder: Path

    @classmethod
    def read(cls, file: Path) -> "Case":
        return cls(json.loads(file.read_text()), load_file(file.with_suffix(".safetensors")), file.parent)

    def state(self, *, seed_offset: int = 0) -> dict[str, np.ndarray]:
        weights = self.meta["weights"]
        state = synthetic_state(self.meta["checkpoint_keys"], weights["seed"] + seed_offset, weights["layout"])
        if not seed_offset:
            np.testing.assert_allclose(weights_check(state), self.meta["weights_check"], rtol=1e-6)
        return state

    def inputs(self) -> list[Tensor]:
        made = []
        for entry in self.meta["inputs"]:
            array = np.random.default_rng(entry["seed"]).standard_normal(tuple(entry["shape"]), dtype=np.float32)
            np.testing.assert_allclose(array.ravel()[:4], entry["check"]["first4"], rtol=1e-6)
            made.append(torch.from_numpy(array))
        return made


@dataclass(frozen=True)
class Built:
    """vidtok's side of a case."""

    module: nn.Module
    load: Callable[[Mapping[str, Tensor]], object]
    """The importer; it must end in `Transfer.finish`."""
    call: Callable[..., Tensor]
    """From the case's inputs, in the official layout, to the output in the official layout."""
    intermediates: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]] = field(default_factory=dict)
    """Official name -> the module whose output it is, and the way to the official layout."""
    from_inputs: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]] = field(default_factory=dict)
    """The same for what vidtok has as the input of a module."""


def check(case: Case, built: Built) -> None:
    """Output, intermediates and gradients against the recorded ones, at the recorded tolerances."""
    state = {key: torch.from_numpy(array).requires_grad_() for key, array in case.state().items()}
    finish, placed = Transfer.finish, {}

    def spy(transfer, **options):
        placed.update(transfer._put)
        return finish(transfer, **options)

    with patch.object(Transfer, "finish", spy):
        report = built.load(state)
    built.module.eval()
    assert sum(p.numel() for p in built.module.parameters()) == case.meta["parameter_count"], "number of parameters"
    assert not report.missing, report
    assert not report.resized, report

    seen: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name, turn=turn: seen.__setitem__(name, turn(out)))
        for name, (module, turn) in built.intermediates.items()
    ]
    hooks += [
        module.register_forward_pre_hook(lambda _m, args, name=name, turn=turn: seen.__setitem__(name, turn(args[0])))
        for name, (module, turn) in built.from_inputs.items()
    ]
    inputs = [x.requires_grad_() for x in case.inputs()]
    got = built.call(*inputs)
    for hook in hooks:
        hook.remove()

    tolerance = case.meta["recommended_tolerance"]
    want = torch.from_numpy(case.want["output"])
    flat = got.flatten()[: want.numel()] if case.meta["output"]["stored"] != "full" else got
    torch.testing.assert_close(
        flat.reshape(want.shape), want, atol=tolerance["output_atol"], rtol=tolerance["output_rtol"]
    )
    for name in case.meta["intermediates"]:
        if name not in seen:
            raise UnknownVariant(f"intermediate {name!r} has no counterpart")
        _check_intermediate(name, seen[name].detach().numpy(), case.want, case.meta["intermediates"][name]["shape"])
    if "gradients" in case.meta:
        _check_gradients(case, built, got, inputs, state, placed)


def _check_intermediate(name: str, got: np.ndarray, want: Mapping[str, np.ndarray], shape: list[int]) -> None:
    assert got.size == math.prod(shape), f"{name}: {got.shape}, want {shape}"
    flat = got.ravel()
    mean, std = want[f"inter/{name}/stats"]
    atol = 1e-4 * max(1.0, float(std))
    np.testing.assert_allclose([flat.mean(), flat.std()], [mean, std], rtol=0, atol=atol, err_msg=name)
    head, tail = want[f"inter/{name}/head"], want[f"inter/{name}/tail"]
    np.testing.assert_allclose(flat[: len(head)], head, rtol=0, atol=atol, err_msg=name)
    np.testing.assert_allclose(flat[-len(tail) :], tail, rtol=0, atol=atol, err_msg=name)


def _check_gradients(case: Case, built: Built, got: Tensor, inputs: list, state: Mapping, placed: Mapping) -> None:
    """Gradients of the sum of squares. Those of parameters are led back through the importer to the official layout."""
    built.module.zero_grad()
    (got**2).sum().backward()
    by_target = dict(built.module.named_parameters())
    wanted = {e["name"]: x for e, x in zip(case.meta["inputs"], inputs, strict=True)}
    through = [(placed[name] * p.grad).sum() for name, p in by_target.items() if name in placed and p.grad is not None]
    torch.stack(through).sum().backward()
    wanted |= state
    for name, facts in case.meta["gradients"]["of"].items():
        gradient = wanted[name].grad.numpy().ravel()
        atol = 1e-4 * facts["max_abs"]
        norm = case.want[f"grad/{name}/norm"]
        np.testing.assert_allclose(np.linalg.norm(gradient), norm.item(), rtol=1e-4, err_msg=name)
        head, tail = case.want[f"grad/{name}/head"], case.want[f"grad/{name}/tail"]
        np.testing.assert_allclose(gradient[: len(head)], head, rtol=0, atol=atol, err_msg=name)
        np.testing.assert_allclose(gradient[-len(tail) :], tail, rtol=0, atol=atol, err_msg=name)
