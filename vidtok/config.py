"""The configuration of a run: frozen, strict, and checked whole. The docstring under a key is its manual."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, model_validator

from vidtok.choices import (
    SHORT,
    Aggregate,
    Backend,
    BatchNorm,
    Control,
    CropIn,
    Crops,
    Device,
    Fit,
    ListForm,
    OverClasses,
    ParallelForm,
    Precision,
    Sampling,
    ScheduleKind,
    ScoreKind,
    Short,
)

Triple = tuple[float, float, float]


def _size(value: Any) -> int | tuple[int, int]:
    """One message for a value that is neither of the two forms."""
    sides = value if isinstance(value, list | tuple) else [value]
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides)
    if not whole or (isinstance(value, list | tuple) and len(sides) != 2):
        raise ValueError(f"a number of pixels from 1 on, or [rows, columns], got {value!r}")
    return value if isinstance(value, int) else (sides[0], sides[1])


def _plain(size: int | tuple[int, int]) -> int | list[int]:
    return size if isinstance(size, int) else list(size)


Size = Annotated[int | tuple[int, int], PlainValidator(_size), PlainSerializer(_plain)]


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


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


class RandAugmentConfig(Section):
    """RandAugment. timm's `rand-m9-mstd0.5-inc1` is {magnitude: 9, magnitude_std: 0.5, prob: 0.5}."""

    layers: int = Field(default=2, ge=1)
    """Operations, one after the other."""
    magnitude: float = Field(ge=0, le=30)
    """Their strength: 0 is the weakest, 10 the full range of each operation; Google's recipes go beyond it."""
    magnitude_std: float = Field(default=0.0, ge=0)
    """Scatter of the strength from operation to operation (normal)."""
    prob: float = Field(default=1.0, ge=0, le=1)
    """Each operation is done with this probability."""
    geometric: bool = True
    """With rotation, shear and translation; false: colours and sharpness only, as in ViViT's recipe."""


class AugmentConfig(Section):
    """Changes of training clips after the crop, in this order; one draw for all frames of a clip. Default: none."""

    color_jitter_prob: float = Field(default=0.0, ge=0, le=1)
    """Share of the clips whose brightness, saturation, contrast and hue change at random, in ViViT's ranges."""
    grey_prob: float = Field(default=0.0, ge=0, le=1)
    """Share of the clips that lose their colours."""
    auto_augment: bool = False
    """AutoAugment with its policy for ImageNet: two operations in sequence, of 25 pairs."""
    rand_augment: RandAugmentConfig | None = None
    """RandAugment: random operations at one strength; in place of `auto_augment`."""
    erase_prob: float = Field(default=0.0, ge=0, le=1)
    """Share of the clips in which a box of 0.02 to 1/3 of the picture, the same in all frames, becomes noise."""

    @model_validator(mode="after")
    def _one_policy(self) -> "AugmentConfig":
        if self.auto_augment and self.rand_augment is not None:
            raise ValueError("auto_augment and rand_augment are two policies for the same clip: leave one out")
        return self


class DataConfig(Section):
    train: str
    """List file of any form of docs/lists.md, or a folder with one sub-folder per class."""
    val: str
    """The same for validation and testing."""
    classes: str | None = None
    """File with one class name per line, in the order of the labels. Not needed for folders, nor for lists that write
    names: the names, sorted, are then the classes."""
    root: str | None = None
    """Folder that relative paths of a list belong to. Default: the list's own folder."""
    format: ListForm = "auto"
    """Form of both lists, see docs/lists.md; auto finds it, says it, and asks where a list may be of several forms."""
    backend: Backend = "pyav"
    """Video decoder; `frames` reads folders of pictures."""
    frames: int = Field(ge=1)
    """Frames of a clip."""
    stride: int = Field(ge=1)
    """Source frames (frames at `target_fps`, where that is set) from one kept frame to the next."""
    target_fps: float | None = Field(default=None, gt=0)
    """Resample by presentation time to this rate before the stride counts (the sampling of mmaction2 and PySlowFast
    stretches the clip instead). Default: the source's own frames."""
    sampling: Sampling = "vidtok"
    """Where clips lie, in training and testing, what a video shorter than a clip gives, and where the testing crops lie
    when pixels are left over that a half does not divide. vidtok: starts over the whole video, a single clip in the
    middle. segments: one frame from each of `frames` equal parts (TSN, Something-Something), with `stride: 1`. The
    others are the rules of these frameworks, to run their protocols again. The tables in vidtok/video/protocols.py and
    vidtok/data/geometry.py have the formulas."""
    short: Short | None = None
    """A video shorter than the span. With `sampling: vidtok`, repeat its last frame, or loop: start again from its
    first (the default). With `sampling: torchcodec`, repeat the clip's own last frame (the default), or wrap: the
    clip's own frames again. The other rules bring their own."""
    size: Size
    """Rows and columns of what the network sees, in pixels: one number for a square, or [rows, columns]."""
    fit: Fit = "crop"
    """How a picture of another shape becomes one of `size`, in training and testing alike. crop: a part of it is seen;
    pad: all of it, with black bars; squeeze: all of it, bent. With the last two, testing has one crop (`eval.crops: 1`)
    and no `short_side`, and `scale` and `ratio` are shares of the whole, in units of its own shape."""
    short_side: int | None = Field(default=None, ge=1)
    """In testing with `fit: crop` the shorter side of the picture is scaled to this many pixels before cropping (for a
    `size` that is no square, further where the crop would not fit)."""
    scale: tuple[float, float] | None = None
    """In training the random crop takes this range of the picture's area. Default: [0.25, 1.0]."""
    ratio: tuple[float, float] | None = None
    """In training the random crop has this range of width over height, in units of the shape of `size`. Default:
    [0.75, 1.3333]."""
    scale_jitter: tuple[float, float] | None = None
    """In training, in place of the crop of `scale` and `ratio`: scale the shorter side to a length drawn from this
    range, in pixels, and cut a square of `size` out at random. PySlowFast: [256, 320]."""
    scale_jitter_independent: bool = False
    """Draw the length of `scale_jitter` for rows and columns separately, which changes shapes. ViViT: factors of 0.9 to
    1.33 on a short side of 256, which is `scale_jitter: [230.4, 340.48]`."""
    flip: bool
    """In training mirror every second clip. Leave it off where classes tell left from right."""
    augment: AugmentConfig = AugmentConfig()
    """Augmentation of training clips after the crop."""
    crop_in: CropIn = "rgb"
    """In training crop and scale RGB pictures, or have the decoder do it before it turns them into RGB, which is faster
    and differs by a few grey levels; yuv needs the backend pyav. Folders of pictures are RGB in any case."""
    repeats: int = Field(default=1, ge=1)
    """In training several clips of a video each time that it is opened and decoded (repeated augmentation);
    `train.batch` counts clips, so a step has batch / repeats videos."""
    sizes: tuple[int, ...] | None = None
    """In training the size of the (square) crop changes from step to step among these, and the number of clips with it,
    so that about as many pixels stay in a step: `train.batch` belongs to `size`. For networks that take any size."""
    mean: Triple = (0.5, 0.5, 0.5)
    """Per-channel mean that is subtracted, for pixels in 0..1."""
    std: Triple = (0.5, 0.5, 0.5)
    """Per-channel divisor, for pixels in 0..1."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that decode, for each training process; 0 decodes in the training process itself. Default: one for
    each core that a training process has for itself, 8 at most."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """A video that takes longer to open, or to give its frames, counts as one that cannot be decoded. A run ends,
    naming the files that are being read, when its worker processes give no batch for so many seconds."""
    max_bad_fraction: float = Field(default=0.01, ge=0, le=1)
    """Training stops when more than this share of the list's videos cannot be decoded; one may fail in any case, and
    none where it is 0. Within the first pass over the list the end comes behind it, so that all of them are named."""
    balanced: bool = False
    """In training every class comes equally often, however many videos it has: an epoch has as many videos as before,
    those of rare classes several times. For lists with one label per video."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> "DataConfig":
        if self.fit == "crop":
            if self.short_side is None:
                raise ValueError("short_side is missing: with fit crop, pictures are scaled to it before testing crops")
            if self.short_side < self.shorter:
                raise ValueError(
                    f"short_side {self.short_side} must be at least size {self.shorter}, the crop cut from it"
                )
        elif self.short_side is not None:
            raise ValueError(
                f"short_side {self.short_side} belongs to fit crop; with fit {self.fit} all of a picture is seen at "
                f"`size`: leave it out (null)"
            )
        if self.fit != "crop" and self.scale_jitter is not None:
            raise ValueError(
                f"scale_jitter belongs to fit crop; with fit {self.fit}, scale and ratio say how training crops differ"
            )
        for name, most in (("scale", 1.0), ("ratio", float("inf"))):
            if (interval := getattr(self, name)) is None:
                continue
            low, high = interval
            if not 0 < low <= high <= most:
                raise ValueError(f"{name} is a range from low to high within 0 to {most:g}, got [{low}, {high}]")
            if self.scale_jitter is not None:
                raise ValueError(
                    f"{name} belongs to the resized crop, which scale_jitter replaces: leave one of the two out (null)"
                )
        return self

    @model_validator(mode="after")
    def _sampling_fits(self) -> "DataConfig":
        known = SHORT.get(self.sampling, ())
        if self.short is not None and not known:
            raise ValueError(
                f"short belongs to sampling vidtok and torchcodec; {self.sampling} has a rule of its own: leave it out"
            )
        if self.short is not None and self.short not in known:
            raise ValueError(f"short {self.short} is not known to sampling {self.sampling}: {' or '.join(known)}")
        if self.sampling == "segments" and self.stride != 1:
            raise ValueError(f"sampling segments takes one frame of each part, without a stride: 1, not {self.stride}")
        if self.sampling == "segments" and self.target_fps is not None:
            raise ValueError("sampling segments covers the whole video, whatever its rate: leave target_fps out")
        return self

    @model_validator(mode="after")
    def _loading_fits(self) -> "DataConfig":
        if self.crop_in == "yuv" and self.backend != "pyav":
            raise ValueError(f"crop_in yuv needs the backend pyav, whose decoder can crop, not {self.backend}")
        if self.crop_in == "yuv" and self.fit == "pad":
            raise ValueError("crop_in yuv cuts boxes out of a picture; for fit pad, which adds bars to it, take rgb")
        if self.sizes is not None and not isinstance(self.size, int):
            raise ValueError(f"sizes are for square crops; size is {list(self.size)}: leave sizes out")
        if self.sizes is not None and (len(set(self.sizes)) < len(self.sizes) or min(self.sizes, default=0) < 1):
            raise ValueError(f"sizes are different numbers of pixels, one at least, got {list(self.sizes)}")
        return self

    @model_validator(mode="after")
    def _jitter_fits(self) -> "DataConfig":
        if self.scale_jitter is None:
            if self.scale_jitter_independent:
                raise ValueError("scale_jitter_independent needs scale_jitter, the range of lengths to draw from")
            return self
        low, high = self.scale_jitter
        if not self.shorter <= low <= high:
            raise ValueError(
                f"scale_jitter is a range from low to high of at least size {self.shorter}, the crop cut from it, "
                f"got [{low}, {high}]"
            )
        return self

    @property
    def shorter(self) -> int:
        """The shorter side of `size`."""
        return self.size if isinstance(self.size, int) else min(self.size)


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
    lr_scale: dict[str, float] = {}
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
    `timm:NAME` for an image ViT that timm fetches from its hub."""
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


class EvalConfig(Section):
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
    every: int | None = Field(default=None, ge=1)
    """Steps between two validations with a single view during training; null: none."""
    patience: int | None = Field(default=None, ge=1)
    """Training ends early when so many validations, one after the other, have not been better than the best one before,
    which best.pt keeps; with `every`. Default: it never does."""
    after_train: bool = True
    """Test with all views when training has ended."""

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
    def _balance_fits(self) -> "Config":
        if self.data.balanced and self.train.class_weights == "balanced":
            raise ValueError(
                "data.balanced and train.class_weights=balanced both make up for rare classes: with both they count "
                "too much; leave one out"
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
