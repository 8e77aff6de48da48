"""The configuration of a run: frozen, strict, and checked whole. The docstring under a key is its manual."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Triple = tuple[float, float, float]
Control = Literal["none", "repeat_first", "repeat_middle", "repeat_last", "shuffle", "reverse"]


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class RunConfig(Section):
    dir: str | None = None
    """Folder of everything that the run writes. Default: runs/NAME, with the config file's name."""
    seed: int = Field(default=0, ge=0)
    """Initial weights, order of the videos, clips, crops and dropout all follow from it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA where there is a device, else the CPU."""


class DataConfig(Section):
    train: str
    """List file (`path label` lines) or a folder with one sub-folder per class."""
    val: str
    """The same for validation and testing."""
    classes: str | None = None
    """File with one class name per line, in the order of the labels; not needed for folders."""
    root: str | None = None
    """Folder that relative paths of a list belong to. Default: the list's own folder."""
    backend: Literal["pyav", "torchcodec", "decord", "frames"] = "pyav"
    """Video decoder; `frames` reads folders of pictures."""
    frames: int = Field(ge=1)
    """Frames of a clip."""
    stride: int = Field(ge=1)
    """Source frames (frames at `target_fps`, where that is set) from one kept frame to the next."""
    target_fps: float | None = Field(default=None, gt=0)
    """Resample by presentation time to this rate before the stride counts. Default: the source's own frames."""
    short: Literal["repeat", "loop"] = "loop"
    """A video shorter than the span: repeat its last frame, or start again from its first."""
    size: int = Field(ge=1)
    """Rows and columns of the square crop that the network sees, in pixels."""
    short_side: int = Field(ge=1)
    """In testing the shorter side of the picture is scaled to this many pixels before cropping."""
    scale: tuple[float, float] = (0.25, 1.0)
    """In training the random crop takes this range of the picture's area."""
    ratio: tuple[float, float] = (0.75, 1.3333)
    """In training the random crop has this range of width over height."""
    flip: bool
    """In training mirror every second clip. Leave it off where classes tell left from right."""
    mean: Triple = (0.5, 0.5, 0.5)
    """Per-channel mean that is subtracted, for pixels in 0..1."""
    std: Triple = (0.5, 0.5, 0.5)
    """Per-channel divisor, for pixels in 0..1."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that decode, for each training process; 0 decodes in the training process itself. Default: one for
    each core that a training process has for itself, 8 at most."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """A run ends, naming the files that are being read, when its worker processes give no batch for so many seconds."""
    max_bad_fraction: float = Field(default=0.01, ge=0, le=1)
    """Training stops when more than this share of the list's videos cannot be decoded."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> "DataConfig":
        if self.short_side < self.size:
            raise ValueError(f"short_side {self.short_side} must be at least size {self.size}, the crop cut from it")
        for name, (low, high), most in (("scale", self.scale, 1.0), ("ratio", self.ratio, float("inf"))):
            if not 0 < low <= high <= most:
                raise ValueError(f"{name} is a range from low to high within 0 to {most:g}, got [{low}, {high}]")
        return self


class TrainConfig(Section):
    steps: int = Field(ge=1)
    """Optimizer updates of the whole run; the learning-rate schedule ends with them."""
    batch: int = Field(ge=1)
    """Clips per step, over all processes."""
    lr: float = Field(gt=0)
    """Highest learning rate, for this batch size."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's two averages."""
    weight_decay: float = Field(default=0.05, ge=0)
    """AdamW's decay; biases, norms and positions are spared."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the rate rises linearly from zero, before the cosine."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest gradient norm; null: no clipping."""
    loss: Literal["softmax", "sigmoid"] = "softmax"
    """softmax: every video has one label; cross-entropy, tested by top-1 and top-5. sigmoid: any number of labels, but
    one at least; binary cross-entropy, the mean over the classes, tested by mean average precision."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes; with `loss: softmax` only."""
    precision: Literal["float32", "bf16"] = "float32"
    """Arithmetic of the forward pass; weights stay in float32."""
    init: str | None = None
    """Initial weights: a run's or a saved model's folder, any file of weights that tools/convert_weights.py reads, or
    `timm:NAME` for an image ViT that timm fetches from its hub."""
    log_every: int = Field(default=20, ge=1)
    """Steps between two lines of the log."""
    save_every: int = Field(default=500, ge=1)
    """Steps between two checkpoints; the newest two are kept."""

    @model_validator(mode="after")
    def _smoothing_needs_softmax(self) -> "TrainConfig":
        if self.loss == "sigmoid" and self.label_smoothing:
            raise ValueError(f"label_smoothing {self.label_smoothing} belongs to loss softmax; set it to 0 for sigmoid")
        return self


class EvalConfig(Section):
    clips: int = Field(default=4, ge=1)
    """Clips per video, evenly spaced from the first to the last possible start."""
    crops: Literal[1, 3] = 3
    """1: the centre; 3: left, centre and right (top, centre and bottom of an upright picture)."""
    aggregate: Literal["logits", "scores", "max"] = "logits"
    """Mean of logits, mean of scores, or highest score over the views."""
    control: Control = "none"
    """Spoil the order of frames, to see what the network goes by."""
    opposites: tuple[tuple[str, str], ...] = ()
    """Pairs of classes that are each other's time reversal; with `control: reverse` their exchange is counted."""
    batch: int = Field(default=8, ge=1)
    """Videos per batch on each process."""
    max_views: int = Field(default=96, ge=1)
    """Views that go through the network at once; bounds the memory, changes no figure."""
    every: int | None = Field(default=None, ge=1)
    """Steps between two validations with a single view during training; null: none."""
    after_train: bool = True
    """Test with all views when training has ended."""


class Config(Section):
    """A whole run. `model` holds a name and options; they are checked against the network's own signature."""

    run: RunConfig = RunConfig()
    data: DataConfig
    model: dict[str, Any]
    train: TrainConfig
    eval: EvalConfig = EvalConfig()
    plugins: tuple[str, ...] = ()
    """Modules to import before building, such as one that registers a mixer of your own."""
