"""The configuration of a run, checked whole. The docstring under a key is its manual; `data` and `train` have files."""

from typing import Any

from pydantic import Field, model_validator

from vidtok.choices import FROM_ENCODER, Aggregate, Control, Crops, Device, EvalProtocol
from vidtok.config_data import DataConfig
from vidtok.config_section import Section
from vidtok.config_train import TrainConfig
from vidtok.data.eval_protocols import PROTOCOLS, protocol_words


class RunConfig(Section):
    dir: str | None = None
    """Folder of everything that the run writes. Default: runs/NAME, with the config file's name."""
    seed: int = Field(default=0, ge=0)
    """Initial weights, order of the videos, clips, crops and dropout all follow from it."""
    device: Device = "auto"
    """auto: CUDA where there is a device, else the CPU."""
    deterministic: bool = False
    """Take only those algorithms that give the same bits each time, so that a run is repeated, and goes on, bit for bit
    on a GPU too, as it does on a CPU in any case. Slower; a layer that has no such algorithm ends the run, named."""
    wait_minutes: float = Field(default=120.0, gt=0)
    """With several processes, how long one waits for the others (in tests, while a checkpoint is written) before it
    takes them for lost."""


class EvalConfig(Section):
    protocol: EvalProtocol | None = None
    """A published way of testing by its name, see vidtok/data/eval_protocols.py: it sets `clips`, `crops` and
    `aggregate`, and in testing takes the place of `data.sampling`, `data.short` and, where its crops see the whole
    picture, `data.short_side`. Default: as the other keys say."""
    clips: int = Field(default=4, ge=1)
    """Clips per video, spread over it as `data.sampling` says: evenly from the first to the last possible start."""
    crops: Crops = 3
    """1: the centre, or all of the picture where `data.fit` is not crop; 3: left, centre and right (top, centre and
    bottom of an upright picture); 10: the four corners and the centre, and all of them mirrored (TenCrop)."""
    aggregate: Aggregate = "logits"
    """Mean of logits, mean of scores, or highest score over the views."""
    control: Control = "none"
    """Spoil the order of frames, to see what the network goes by."""
    opposites: tuple[tuple[str, str], ...] = ()
    """Pairs of classes that are each other's time reversal; with `control: reverse` their exchange is counted."""
    batch: int = Field(default=8, ge=1)
    """Videos per batch on each process, at most: fewer where their views have more than 32 MiB. Changes no figure."""
    train_sample: int = Field(default=32, ge=0)
    """At the end of training so many of its videos are tested too, by the testing views and by the crops of training:
    where the two differ much, testing sees other pictures than training did, and the log says so. 0: none."""
    max_views: int = Field(default=96, ge=1)
    """Views that go through the network at once; bounds the memory, changes no figure."""
    group: str | None = None
    """What belongs together, for the intervals of the figures: a column of the list, or a pattern with one pair of
    brackets for the paths (`/(person\\d+)_`). Default: the parts of one file."""
    every: int | None = Field(default=None, ge=1)
    """Steps between two validations with a single view during training; null: none."""
    patience: int | None = Field(default=None, ge=1)
    """Training ends early when so many validations, one after the other, have not been better than the best one before,
    which best.pt keeps; with `every`. Default: it never does."""
    report: bool = True
    """Write report.html beside the results of a test without a control."""
    after_train: bool = True
    """Test with all views when training has ended."""

    @model_validator(mode="after")
    def _protocol_decides(self) -> "EvalConfig":
        for key, value in protocol_words(self.protocol).items() if self.protocol is not None else ():
            if getattr(self, key) != value:
                raise ValueError(
                    f"{key} {getattr(self, key)}: the protocol {self.protocol} has {value}; leave one of the two out"
                )
        return self

    @model_validator(mode="after")
    def _patience_needs_validations(self) -> "EvalConfig":
        if self.patience is not None and self.every is None:
            raise ValueError(f"patience {self.patience} counts validations: set every, the steps between two of them")
        return self


class Config(Section):
    """A whole run. `model` holds a name and options; they are checked against the network's own signature."""

    run: RunConfig = RunConfig()
    data: DataConfig
    model: dict[str, Any]
    train: TrainConfig
    eval: EvalConfig = EvalConfig()
    plugins: tuple[str, ...] = ()
    """Modules to import before building, such as one that registers a mixer of your own."""

    @model_validator(mode="after")
    def _init_fits(self) -> "Config":
        if self.train.init is None and self.data.mean == "weights" and self.model.get("name") not in FROM_ENCODER:
            raise ValueError("data.mean weights needs train.init, the weights to follow")
        if self.train.init is None and self.train.init_grid is not None:
            raise ValueError(f"train.init_grid {self.train.init_grid} belongs to the weights of train.init")
        return self

    @model_validator(mode="after")
    def _balance_fits(self) -> "Config":
        if self.data.balanced and self.train.class_weights == "balanced":
            raise ValueError(
                "data.balanced and train.class_weights=balanced both make up for rare classes: with both they count "
                "too much; leave one out"
            )
        return self

    @model_validator(mode="after")
    def _protocol_fits(self) -> "Config":
        name = self.eval.protocol
        if name is None:
            return self
        own = PROTOCOLS[name]
        if own.scores is not None and self.train.loss != own.scores:
            raise ValueError(f"eval.protocol {name} is one of {own.scores} scores, but train.loss is {self.train.loss}")
        if self.data.fit != "crop":
            raise ValueError(f"eval.protocol {name} has {own.crops} crops, but data.fit is {self.data.fit}, not crop")
        if own.sampling == "segments" and self.data.stride != 1:
            raise ValueError(
                f"eval.protocol {name} takes a frame from each of data.frames equal parts, without a stride, but "
                f"data.stride is {self.data.stride}: it is for networks that were trained so (data.sampling segments)"
            )
        return self

    @model_validator(mode="after")
    def _views_fit(self) -> "Config":
        if self.data.fit != "crop" and self.eval.crops != 1:
            raise ValueError(
                f"eval.crops {self.eval.crops}: with data.fit {self.data.fit} all of a picture is one view: set "
                f"eval.crops to 1, or data.fit to crop"
            )
        return self

    @model_validator(mode="after")
    def _repeats_fit(self) -> "Config":
        if self.train.batch % self.data.repeats:
            raise ValueError(
                f"data.repeats {self.data.repeats} must divide train.batch {self.train.batch}: a step has "
                f"batch / repeats videos, each with so many clips"
            )
        return self
