"""The golden cases of STViT, MaxViT and CAS-ViT, in vidtok's terms."""

from einops import rearrange
from torch import Tensor, nn

from tests.golden.case import Built, Case, UnknownVariant
from tests.golden.scenic import one_of, only
from vidtok.models import casvit as casvit_module
from vidtok.models import maxvit as maxvit_module
from vidtok.models import stvit as stvit_module
from vidtok.models.casvit import CASViT
from vidtok.models.maxvit import MaxViT, MaxViTBlock
from vidtok.models.stvit import STViT
from vidtok.models.weights.casvit import load_casvit
from vidtok.models.weights.maxvit_timm import load_maxvit_timm
from vidtok.models.weights.stvit import load_stvit
from vidtok.nn.mixers.conv_additive import ConvAdditive
from vidtok.nn.mixers.super_token import SuperToken

STVIT = {"S": "stvit_small", "B": "stvit_base", "L": "stvit_large"}
STVIT_OPTIONS = (
    *("variant", "num_classes", "embed_dim", "depths", "num_heads"),
    *("stoken_size", "n_iter", "projection", "mlp_ratio", "layerscale"),
)
CASVIT = {"XS": "casvit_xs", "S": "casvit_s", "M": "casvit_m", "T": "casvit_t"}


def nchw(x: Tensor) -> Tensor:
    return rearrange(x, "b 1 h w d -> b d h w")


def nhwc(x: Tensor) -> Tensor:
    return rearrange(x, "b 1 h w d -> b h w d")


def on_grid(module: nn.Module):
    """Call a module of the grid with an image's tokens `N C H W`."""
    return lambda x: nchw(module(rearrange(x, "b d h w -> b 1 h w d")))


def on_frames(network: nn.Module):
    """Call a network of clips with images."""
    return lambda x: network(rearrange(x, "b c y x -> b 1 c y x"))


def picture_size(case: Case) -> tuple[int, int]:
    rows, columns = case.meta["inputs"][0]["shape"][-2:]
    return rows, columns


def pair(size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def stvit(case: Case) -> Built:
    given = dict(case.meta["hyper_parameters"])
    if not given.pop("qkv_bias", True):
        raise UnknownVariant("qkv_bias false")
    if "module" in given:
        return super_token(given)
    only(given, *STVIT_OPTIONS)
    options = dict(stvit_module.STVIT_SIZES[one_of(STVIT, given["variant"])]) if "variant" in given else {}
    names = {"embed_dim": "widths", "depths": "depths", "num_heads": "heads", "n_iter": "iterations"}
    options |= {ours: tuple(given[theirs]) for theirs, ours in names.items() if theirs in given}
    options |= {"projection": given.get("projection", 1024), "mlp_ratio": float(given.get("mlp_ratio", 4))}
    if "stoken_size" in given:
        options["cells"] = tuple((1, *pair(size)) for size in given["stoken_size"])
    if "layerscale" in given:
        options["layer_scale"] = tuple(1e-6 if scaled else None for scaled in given["layerscale"])
    network = STViT(classes=given["num_classes"], size=picture_size(case), **options)
    hooks = {"patch_embed": (network.stem, nchw)}
    for s, blocks in enumerate(network.stages):
        hooks[f"layers.{s}"] = (network.downsamples[s] if s < 3 else blocks, nchw)
        for b, block in enumerate(blocks):
            hooks[f"layers.{s}.blocks.{b}"] = (block, nchw)
            hooks[f"layers.{s}.blocks.{b}.pos_embed"] = (block.position, nchw)
            hooks[f"layers.{s}.blocks.{b}.attn"] = (block.mixer, nchw)
    pooled = {"avgpool": (network.head, lambda x: x[..., None, None])}
    return Built(network, lambda state: load_stvit(network, state), on_frames(network), hooks, pooled)


def super_token(given: dict) -> Built:
    """The attention by itself; `Attention` is what it leaves for cells of one token."""
    only(given, "module", "dim", "num_heads", "stoken_size", "n_iter")
    one_of({"StokenAttention": 0, "Attention": 0}, given["module"])
    cells = (1, *pair(given.get("stoken_size", 1)))
    mixer = SuperToken(given["dim"], heads=given["num_heads"], cells=cells, iterations=given.get("n_iter", 1))
    heads = given["num_heads"]

    def by_head(x: Tensor) -> Tensor:
        rows = mixer.refine.qkv(x)
        return rearrange(rows, "b 1 h w (three e d) -> b (e three d) h w", three=3, e=heads)

    prefix = "stoken_refine." if given["module"] == "StokenAttention" else ""
    inputs = {f"{prefix}qkv": (mixer.refine, by_head)}
    hooks = {"stoken_refine": (mixer.refine, nchw)}
    return Built(mixer, lambda state: load_stvit(mixer, state), on_grid(mixer), hooks, inputs)


def block_hooks(block: MaxViTBlock, prefix: str) -> dict:
    return {
        f"{prefix}conv": (block.conv, nchw),
        f"{prefix}attn_block": (block.block, nhwc),
        f"{prefix}attn_grid": (block.spread, nhwc),
    }


def maxvit(case: Case) -> Built:
    given = dict(case.meta["hyper_parameters"])
    window = one_of({(1, *pair(given["window"])): (1, *pair(given["window"]))}, (1, *pair(given["grid"])))
    if "module" in given:
        only(given, "module", "in", "out", "stride", "window", "grid", "head_dim")
        one_of({"MaxxVitBlock (tf configuration)": 0}, given["module"])
        stride = (1, given["stride"], given["stride"])
        block = MaxViTBlock(given["in"], given["out"], stride=stride, head_width=given["head_dim"], window=window)
        return Built(block, lambda state: load_maxvit_timm(block, state), on_grid(block), block_hooks(block, ""))
    only(given, "variant", "num_classes", "window", "grid")
    sizes = {name.rpartition("_")[0]: options for name, options in maxvit_module.MAXVIT_SIZES.items()}
    options = one_of(sizes, given["variant"].rpartition("_")[0])
    network = MaxViT(classes=given["num_classes"], size=picture_size(case), window=window, **options)
    hooks = {
        "stem": (network.stem, nchw),
        "head.norm": (network.norm, lambda x: x[..., None, None]),
        "head.pre_logits": (network.pre_logits, lambda x: x.tanh()),
    }
    for s, blocks in enumerate(network.stages):
        for b, block in enumerate(blocks):
            hooks[f"stages.{s}.blocks.{b}"] = (block, nchw)
            hooks |= block_hooks(block, f"stages.{s}.blocks.{b}.")
    return Built(network, lambda state: load_maxvit_timm(network, state), on_frames(network), hooks)


def casvit(case: Case) -> Built:
    given = dict(case.meta["hyper_parameters"])
    if "module" in given:
        only(given, "module", "dim")
        one_of({"AdditiveTokenMixer": 0}, given["module"])
        return conv_additive(ConvAdditive(given["dim"], temporal_kernel=1))
    only(given, "variant", "layers", "embed_dims", "mlp_ratios", "num_classes", "distillation")
    options = dict(casvit_module.CASVIT_SIZES[one_of(CASVIT, given["variant"])]) if "variant" in given else {}
    names = {"layers": "depths", "embed_dims": "widths"}
    options |= {ours: tuple(given[theirs]) for theirs, ours in names.items() if theirs in given}
    network = CASViT(
        classes=given["num_classes"],
        size=picture_size(case),
        mlp_ratio=float(given.get("mlp_ratios", 4)),
        dist_head=given.get("distillation", False),
        **options,
    )
    hooks = {"patch_embed": (network.stem, nchw), "norm": (network.norm, nchw)}
    for s, blocks in enumerate(network.stages):
        if s:
            hooks[f"network.{2 * s - 1}"] = (network.downsamples[s - 1], nchw)
        for b, block in enumerate(blocks):
            hooks[f"network.{2 * s}.{b}"] = (block, nchw)
            hooks[f"network.{2 * s}.{b}.local_perception"] = (block.local, nchw)
            hooks[f"network.{2 * s}.{b}.attn"] = (block.mixer, nchw)
    return Built(network, lambda state: load_casvit(network, state), on_frames(network), hooks)


def conv_additive(mixer: ConvAdditive) -> Built:
    """The mixer by itself."""
    hooks = {
        "qkv": (mixer.qkv, nchw),
        "oper_q.0": (mixer.gate_q[0], nchw),
        "oper_q": (mixer.gate_q, nchw),
        "oper_k.0": (mixer.gate_k[0], nchw),
        "oper_k": (mixer.gate_k, nchw),
        "dwc": (mixer.context, nchw),
    }
    return Built(mixer, lambda state: load_casvit(mixer, state), on_grid(mixer), hooks)
