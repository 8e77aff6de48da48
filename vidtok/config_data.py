"""The keys of `data`: lists, clips, crops, augmentation, loading."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from vidtok.choices import SHORT, Backend, CropIn, Fit, ListForm, Sampling, Short
from vidtok.config_section import Section

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
    mean: Triple | Literal["weights"] = (0.5, 0.5, 0.5)
    """Per-channel mean that is subtracted, for pixels in 0..1; weights: as those of `train.init`, or of
    `model.encoder`, were made for."""
    std: Triple | Literal["weights"] = (0.5, 0.5, 0.5)
    """Per-channel divisor, for pixels in 0..1, or weights, as the mean."""
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
    def _normalisation_fits(self) -> "DataConfig":
        if (self.mean == "weights") != (self.std == "weights"):
            raise ValueError(f"mean {self.mean} and std {self.std}: weights is for both of them, or for none")
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
