"""Fit with fine-tuning: from a linear probe's start the encoder's last blocks, in the ordinary trainer."""

import io
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.build import Lists
from vidtok.build_data import eval_views
from vidtok.choices import Backend, FineTuning, ScoreKind
from vidtok.config import Config
from vidtok.config_io import check
from vidtok.data.records import Records
from vidtok.data.transforms import flip_warning
from vidtok.errors import DataError
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.models.options import plain
from vidtok.models.summary_network import SummaryNetwork
from vidtok.runs.test import predict
from vidtok.runs.train import run_training
from vidtok.train.nested import Videos
from vidtok.train.parallel import Parallel
from vidtok.train.probe import figure_of, held_out

CONTROLS = {"plain": "none", "shuffled": "shuffle", "reversed": "reverse"}
"""The controls of fit by the names that testing has for them."""
LINES = 5
"""Of a run, that say how far it is."""


@dataclass(frozen=True, kw_only=True)
class TuneRecipe:
    """How the last blocks are trained: AdamW, layer-wise decay of the rate, batch norms with the statistics they have.

    Nothing of it is chosen on the videos.
    """

    blocks: int = 2
    """The encoder's last blocks that are trained, of those it has."""
    epochs: int = 8
    batch: int = 8
    rate: float = 1e-4
    layer_decay: float = 0.75
    decay: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The videos to fine-tune on, and where and how."""

    records: Records
    """Those that can be decoded, row by row as in `Videos`."""
    classes: Sequence[str]
    kind: ScoreKind
    folder: Path
    """It is emptied first."""
    backend: Backend
    workers: int
    seed: int
    recipe: TuneRecipe = TuneRecipe()

    def config(self, start: Classifier, *, run: Path, count: int) -> Config:
        """The run's configuration for so many videos: what the linear probe saw, with crops of 3/4 of it at least."""
        plan, recipe = start.architecture, self.recipe
        assert plan is not None
        assert isinstance(start.network, SummaryNetwork)
        mean, std = start.normalisation
        trained, batch = min(recipe.blocks, len(start.network.blocks)), min(recipe.batch, count)
        data: dict[str, Any] = {
            "train": str(self.records.source),
            "val": str(self.records.source),
            "backend": self.backend,
            "frames": plan.frames,
            "stride": 1,
            "sampling": "segments",
            "size": plan.size,
            "fit": "pad",
            "scale": [0.75, 1.0],
            "ratio": [0.8, 1.25],
            "flip": flip_warning(self.classes) is None,
            "mean": mean,
            "std": std,
            "workers": self.workers,
        }
        train: dict[str, Any] = {
            "epochs": float(recipe.epochs),
            "batch": batch,
            "lr": recipe.rate,
            "warmup_steps": math.ceil(recipe.epochs * count / batch) // 10,
            "weight_decay": recipe.decay,
            "layer_decay": recipe.layer_decay,
            "batch_norm": "frozen",
            "loss": self.kind,
            "init": str(run / "start"),
            "log_every": max(1, math.ceil(recipe.epochs * count / batch / LINES)),
            "save_every": 10**9,
            "keep_checkpoints": 1,
            **({"class_weights": "balanced"} if self.kind == "softmax" else {}),
        }
        tree = {
            "run": {"dir": str(run), "seed": self.seed},
            "data": data,
            "model": {"name": plan.network, **plain(plan.options), "trained_blocks": trained},
            "train": train,
            "eval": {"clips": 1, "crops": 1, "after_train": False, "train_sample": 0},
        }
        return check(tree, source="the fine-tuning", allow_plugins=False)

    def tuned(
        self,
        start: Classifier,
        rows: Sequence[int],
        left: Sequence[int],
        parallel: Parallel,
        *,
        name: str,
        title: str,
    ) -> tuple[Classifier, dict[str, Float[Tensor, "r k"]]]:
        """The model that was trained on `rows` from this start, and the logits of those left out, as of CONTROLS.

        What the run says stands in output.txt of its folder; how far it is, under its `title`, is said here.
        Raises DataError where a video cannot be read any more.
        """
        run = self.folder / name
        run.mkdir(parents=True)
        start.save_pretrained(run / "start")
        config = self.config(start, run=run, count=len(rows))
        lists = Lists(
            train=self.records.subset(rows), val=self.records.subset(left or rows[:1]), classes=tuple(self.classes)
        )
        with (run / "output.txt").open("w", encoding="utf-8") as file:
            said = StepLines(file, title=title, shown=sys.stdout)
            with redirect_stdout(said), redirect_stderr(said):
                ended = run_training(config, lists, parallel, resume=None)
        if not ended.finished:
            raise KeyboardInterrupt  # which the run has caught, to save where it stood
        model = load_model(run)
        shutil.rmtree(run / "checkpoints")  # with the optimizer's state, of no use behind the last step
        if left:
            shutil.rmtree(run / "start")
        model.feeding = start.feeding
        model.to(parallel.device)
        logits = {}
        for way, control in CONTROLS.items() if left else ():
            asked = config.model_copy(update={"eval": config.eval.model_copy(update={"control": control})})
            found = predict(asked, model, lists.val, parallel, views=eval_views(asked))
            if found.failures:
                raise DataError(f"{found.failures[0].cause}: it was read before; fit again")
            logits[way] = found.logits[:, 0].double().cpu()
        return model.cpu().eval(), logits

    def run(
        self,
        videos: Videos,
        start: Callable[[Sequence[int]], Classifier],
        linear: Float[Tensor, "n k"],
        parallel: Parallel,
        *,
        how: FineTuning,
    ) -> tuple[Classifier, dict[str, Float[Tensor, "n k"]], list[int]]:
        """The model that was tuned on all videos; the logits, as of CONTROLS, of those that were left out, and these.

        `start`: the linear probe's model, chosen and fitted on these rows alone. `linear`: the logits of such models,
        to compare with. Says of each fold what it reached.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        logits = {name: torch.zeros_like(videos.targets) for name in CONTROLS}
        measured: list[int] = []
        parts = held_out(videos.folds)
        for number, out in enumerate(parts if how == "folds" else parts[:1], start=1):
            rows, left = (~out).nonzero().flatten().tolist(), out.nonzero().flatten().tolist()
            _, found = self.tuned(
                start(rows), rows, left, parallel, name=f"fold_{number}", title=f"fold {number} of {len(parts)}"
            )
            for name, own in found.items():
                logits[name][out] = own
            measured = sorted([*measured, *left])
            print(f"fold {number} of {len(parts)}: {self.compared(logits['plain'], linear, videos, left)}", flush=True)
        every = range(len(videos.labels))
        model, _ = self.tuned(start(every), every, (), parallel, name="all", title="the model of all videos")
        print(f"in all: {self.compared(logits['plain'], linear, videos, measured, judge=True)}", flush=True)
        return model, logits, measured

    def compared(
        self,
        tuned: Float[Tensor, "n k"],
        linear: Float[Tensor, "n k"],
        videos: Videos,
        rows: Sequence[int],
        *,
        judge: bool = False,
    ) -> str:
        """How the two do on these videos, in words."""
        kept = torch.tensor(list(rows))
        one, other = (figure_of(each[kept], videos.targets[kept], kind=self.kind) for each in (tuned, linear))
        words = f"fine-tuned {one:.2f}, the linear probe {other:.2f}, on {len(rows)} videos"
        return f"{words}; it is not worth it: fit without --finetune" if judge and one <= other else words


class StepLines(io.TextIOBase):
    """Writes what a run says into a file, and shows its lines of steps, which say how much time is left.

    `shown`: what stands for the standard output, a console or a notebook's cell.
    """

    def __init__(self, file: TextIO, *, title: str, shown: Any):
        self._file, self._title, self._shown, self._rest = file, title, shown, ""

    @property
    def encoding(self) -> str:
        return self._file.encoding

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith("step ") and " | eta " in line:
                print(f"{self._title} | {line}", file=self._shown, flush=True)
        return self._file.write(text)

    def flush(self) -> None:
        self._file.flush()
