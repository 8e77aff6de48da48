"""The keys of `train`: length, optimizer, loss, start, checkpoints."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vidtok.choices import BatchNorm, OverClasses, ParallelForm, Precision, ScheduleKind, ScoreKind
from vidtok.config_section import Section


class TrainConfig(Section):
    steps: int | None = Field(default=None, ge=1)
    """Optimizer updates of the whole run; the learning-rate schedule ends with them. Or `epochs`."""
    epochs: float | None = Field(default=None, gt=0)
    """In place of `steps`: passes over the training list. The run states the steps that they are."""
    batch: int = Field(ge=1)
    """Clips per step, over all processes."""
    accumulate: int = Field(default=1, ge=1)
    """Parts in which each process's share of a step goes through the network, one after the other: less memory, the
    same gradient (batch norm aside, which sees one part at a time)."""
    optimizer: str = "adamw"
    """timm's name of the optimizer: adamw, momentum (stochastic gradient descent), sgd (with Nesterov's momentum), …"""
    lr: float = Field(gt=0)
    """Highest learning rate."""
    lr_batch: int | None = Field(default=None, ge=1)
    """Clips per step that `lr` is meant for; the rate that is used is lr * batch / lr_batch, which the run states when
    it starts. Default: the batch as it is."""
    betas: tuple[float, float] | None = None
    """The two averages of Adam and its kin. Default: the optimizer's own, which are 0.9 and 0.999 for AdamW."""
    momentum: float | None = Field(default=None, ge=0, lt=1)
    """Momentum of stochastic gradient descent. Default: 0.9."""
    weight_decay: float = Field(default=0.05, ge=0)
    """The optimizer's weight decay; biases, norms and positions are spared."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor of the rate from each block to the one before it, so that the first layers of a pretrained network change
    least: BEiT's layer-wise decay. 1: the same rate for all."""
    lr_scale: dict[str, float] = Field(default={})
    """Factors of the rate, by patterns of parameter names such as `head.*`. The pattern `new` stands for the parameters
    to which `init` brought nothing: TokenLearner in a pretrained ViT, a last layer for other classes."""
    freeze: tuple[str, ...] = ()
    """Patterns of the parameters that are not trained; batch norms whose weights are frozen keep their statistics. A
    pattern with a `!` before it takes out again: ["*", "!head.*"] trains the last layer alone (a linear probe)."""
    schedule: ScheduleKind = "cosine"
    """How the rate falls: along half a cosine over all steps, in a straight line from the end of the warm-up on, or to
    a tenth at each of `lr_steps`."""
    lr_steps: tuple[int, ...] = ()
    """Steps at which the rate falls to a tenth; with `schedule: step`."""
    min_lr: float = Field(default=0.0, ge=0)
    """The rate at the end of `cosine` and `linear`."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the rate rises linearly from zero, before the schedule."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest gradient norm; null: no clipping."""
    loss: ScoreKind = "softmax"
    """softmax: every video has one label; cross-entropy, tested by top-1 and top-5. sigmoid: any number of labels,
    or none; binary cross-entropy for each class, tested by mean average precision."""
    over_classes: OverClasses = "mean"
    """With `loss: sigmoid`, what becomes of the classes' losses: PySlowFast takes the mean, TokenLearner the sum."""
    head_bias: float | None = None
    """Start of the last layer's biases, where `init` brings none. With `loss: sigmoid` -10 says that nearly all classes
    are absent, which is nearly true. Default: as the network has it, 0 for all of ours."""
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]] | None = None
    """Factors of the classes in the loss, by name (1 for those left out), or balanced: the rarer a class is in the
    training list, the more it counts, so that all count the same. With `loss: sigmoid` the factor is that of videos
    which have the class. Default: every video counts the same."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes; with `loss: softmax` only."""
    mixup_alpha: float = Field(default=0.0, ge=0)
    """Mixup: every clip and its target blended with another clip of the batch, in shares drawn from Beta(alpha, alpha);
    0: off. Where CutMix is on too, each batch gets one of the two, with equal chances."""
    cutmix_alpha: float = Field(default=0.0, ge=0)
    """CutMix: a box of every clip, the same in all frames, replaced by another clip's; Beta as for mixup. 0: off."""
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay per step of the exponential average of the weights, which is then what is validated, tested and loaded from
    the run. The decay itself rises towards this value, (1 + n) / (10 + n) after n steps. Default: no average."""
    batch_norm: BatchNorm = "train"
    """train: each process normalises by its own clips; frozen: by the statistics that `init` brought, for batches of a
    few clips; sync: by the clips of all processes (GPUs only)."""
    precision: Precision = "float32"
    """Arithmetic of the forward pass; weights stay in float32. fp16 scales the loss and needs a GPU."""
    checkpoint_blocks: bool = False
    """Compute each block a second time in the backward pass instead of keeping what is inside it: the same gradients
    with less memory, in about a third more time."""
    compile: bool = False
    """Compile the network (torch.compile): minutes at the start, then faster steps on a GPU."""
    init: str | None = None
    """Initial weights: a run's or a saved model's folder, any file of weights that tools/convert_weights.py reads, or
    `timm:NAME` for an image ViT that timm fetches from its hub, or `vidtok:motion_casvit`, a small network that travels
    with vidtok and knows movement (configs/own_small.yaml). Default: from scratch, but for the networks `encoder`,
    `encoder_vivit` and `encoder_probe`, whose encoder has the weights that `model.encoder` names."""
    init_grid: tuple[int, int, int] | None = None
    """Time steps, rows and columns of the tokens that the positions of `init` were made for, where neither the file, a
    config.json beside it nor the model's name tells them: [16, 14, 14] for 32 frames of 224 pixels and tubelets of
    2 x 16 x 16, [1, 14, 14] for a picture."""
    log_every: int = Field(default=20, ge=1)
    """Steps between two lines of the log."""
    save_every: int = Field(default=500, ge=1)
    """Steps between two checkpoints."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """How many of the newest checkpoints are kept. The one with the best validation stays beside them, as best.pt."""
    parallel: ParallelForm = "ddp"
    """How the processes of torchrun share the model. ddp: each has all of it. fsdp2: each keeps a part of every weight,
    its gradient and the optimizer's state, for models that outgrow a card; the same result."""
    sharded_checkpoints: bool = False
    """With `parallel: fsdp2`, every process writes its own part of a checkpoint into a folder; false: the parts are put
    together in one file, as without fsdp2. A run goes on from either with any number of processes."""

    @model_validator(mode="after")
    def _length_is_said_once(self) -> "TrainConfig":
        if (self.steps is None) == (self.epochs is None):
            both = "both are given" if self.steps is not None else "neither is given"
            raise ValueError(f"steps or epochs says how long the run is, and {both}: give one (null takes one away)")
        return self

    @model_validator(mode="after")
    def _settings_fit_the_loss(self) -> "TrainConfig":
        if self.loss == "sigmoid" and self.label_smoothing:
            raise ValueError(f"label_smoothing {self.label_smoothing} belongs to loss softmax; set it to 0 for sigmoid")
        if self.loss == "softmax" and self.over_classes == "sum":
            raise ValueError("over_classes=sum belongs to loss sigmoid; leave it out for softmax")
        return self

    @model_validator(mode="after")
    def _settings_fit_the_sharding(self) -> "TrainConfig":
        if self.parallel == "fsdp2":
            if self.precision == "fp16":
                raise ValueError("precision fp16 does not work with parallel fsdp2; take bf16")
            if self.compile:
                raise ValueError("compile does not work with parallel fsdp2; leave one of them out")
        elif self.sharded_checkpoints:
            raise ValueError("sharded_checkpoints belongs to parallel fsdp2; leave it out for ddp")
        return self

    @model_validator(mode="after")
    def _settings_fit_the_schedule(self) -> "TrainConfig":
        if (self.schedule == "step") != bool(self.lr_steps):
            raise ValueError(
                f"lr_steps {list(self.lr_steps)} and schedule {self.schedule} do not go together: "
                "schedule step needs lr_steps, the steps at which the rate falls, and the others have none"
            )
        if list(self.lr_steps) != sorted({step for step in self.lr_steps if step >= self.warmup_steps}):
            raise ValueError(f"lr_steps rise, and begin behind the warm-up; got {list(self.lr_steps)}")
        if self.schedule == "step" and self.min_lr:
            raise ValueError(f"min_lr {self.min_lr} belongs to schedule cosine or linear; leave it out for step")
        highest = self.lr * self.batch / (self.lr_batch or self.batch)
        if self.min_lr > highest:
            raise ValueError(f"min_lr {self.min_lr:g} is above the highest rate, {highest:g} for this batch")
        return self
