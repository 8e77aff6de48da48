"""The encoders worth naming: what they cost, what clips they take, whose they are and what they are good at."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EncoderRecord:
    """An encoder that `vidtok fit` takes by this name; any other of its kind can be named too."""

    name: str
    parameters: int
    """Of the encoder alone, without what its makers have behind it; on the hub: by the library's configuration."""
    macs: int
    """Multiply-adds of one clip of `frames` frames, or of one frame where `frames` is None."""
    frames: int | None
    """Frames of a clip; None: each frame by itself, any number of them."""
    size: int
    """Rows and columns of a picture."""
    licence: str
    """Of the weights, as timm or their makers state it."""
    good_at: str
    tried: bool
    """Run here with its own weights. The others are known, not run here: their kind's loading is tested with weights
    drawn at random, what they are good at is what others report, and nothing is promised of what they reach."""


ENCODERS = (
    EncoderRecord(
        name="tf_efficientnet_lite0",
        parameters=3_371_008,
        macs=383_907_552,
        frames=None,
        size=224,
        licence="Apache-2.0",
        good_at="small sets on a processor: what a frame shows, and by the motion summary what moves where",
        tried=True,
    ),
    EncoderRecord(
        name="motion_casvit",
        parameters=1_124_992,
        macs=111_481_472,
        frames=12,
        size=64,
        licence="Apache-2.0",
        good_at="where nothing else is at hand: it travels with vidtok, and has seen moving shapes alone",
        tried=True,
    ),
    EncoderRecord(
        name="vit_small_patch16_dinov3.lvd1689m",
        parameters=21_586_944,
        macs=4_698_104_832,
        frames=None,
        size=224,
        licence="dinov3-license",
        good_at="what a frame shows, without labels or words in its training; any size of picture",
        tried=False,
    ),
    EncoderRecord(
        name="vit_pe_core_small_patch16_384.fb",
        parameters=23_586_048,
        macs=15_489_967_104,
        frames=None,
        size=384,
        licence="Apache-2.0",
        good_at="what a frame shows, trained on pictures and videos with words",
        tried=False,
    ),
    EncoderRecord(
        name="vit_base_patch16_siglip_224.v2_webli",
        parameters=92_884_224,
        macs=17_470_881_792,
        frames=None,
        size=224,
        licence="Apache-2.0",
        good_at="what a frame shows, trained on pictures with words",
        tried=False,
    ),
    EncoderRecord(
        name="vit_base_patch16_clip_224.openai",
        parameters=85_799_424,
        macs=17_563_060_224,
        frames=None,
        size=224,
        licence="Apache-2.0",
        good_at="what a frame shows, trained on pictures with words",
        tried=False,
    ),
    EncoderRecord(
        name="facebook/vjepa2-vitl-fpc64-256",
        parameters=303_885_312,
        macs=827_854_946_304,
        frames=16,
        size=256,
        licence="MIT",
        good_at="motion, with many clips and an attentive probe; its mean alone is weak with few clips",
        tried=False,
    ),
    EncoderRecord(
        name="google/videoprism-base-f16r288@refs/pr/4",
        parameters=114_365_184,
        macs=486_644_121_600,
        frames=16,
        size=288,
        licence="CC-BY-4.0",
        good_at="what happens in a clip, trained on videos with words",
        tried=False,
    ),
    EncoderRecord(
        name="MCG-NJU/videomae-base-finetuned-kinetics",
        parameters=86_227_200,
        macs=180_344_586_240,
        frames=16,
        size=224,
        licence="CC-BY-NC-4.0",
        good_at="human actions like those of Kinetics-400, whose labels it learned",
        tried=False,
    ),
    EncoderRecord(
        name="google/vivit-b-16x2-kinetics400",
        parameters=88_646_400,
        macs=451_524_446_208,
        frames=32,
        size=224,
        licence="see its page",
        good_at="human actions like those of Kinetics-400, whose labels it learned",
        tried=False,
    ),
    EncoderRecord(
        name="facebook/timesformer-base-finetuned-k400",
        parameters=121_258_752,
        macs=195_829_972_992,
        frames=8,
        size=224,
        licence="see its page",
        good_at="human actions like those of Kinetics-400, whose labels it learned",
        tried=False,
    ),
    EncoderRecord(
        name="microsoft/xclip-base-patch32",
        parameters=122_909_952,
        macs=35_793_027_072,
        frames=8,
        size=224,
        licence="see its page",
        good_at="human actions with few clips: trained on Kinetics-400 with words; blind to order",
        tried=False,
    ),
)


def list_encoders() -> tuple[EncoderRecord, ...]:
    """The encoders that are worth naming, those that were tried first; see `EncoderRecord` for what is said of each."""
    return ENCODERS
