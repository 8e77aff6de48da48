"""The golden cases of scenic's ViViT and TokenLearner, in vidtok's terms."""

from collections.abc import Callable

from einops import rearrange
from torch import Tensor, nn

from tests.golden.case import Built, Case, UnknownVariant
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.scenic import load_scenic
from vidtok.nn.encoder import Encoder
from vidtok.nn.token_learner import TokenFuser, TokenLearner, TokenLearnerOptions

POOL = {"token": "cls", "0": "cls", "gap": "mean", "gmp": "max"}


def only(given: dict, *known: str) -> dict:
    """The hyper-parameters, none of which may be unknown here."""
    if unknown := set(given) - set(known):
        raise UnknownVariant(f"hyper-parameters {sorted(unknown)} = {[given[key] for key in sorted(unknown)]}")
    return given


def one_of(table: dict, key: str):
    if key not in table:
        raise UnknownVariant(f"{key!r} is none of {sorted(table)}")
    return table[key]


def as_it_is(x: Tensor) -> Tensor:
    return x


def mixer_of(attention: dict) -> object:
    only(attention, "type", "attention_order", "attention_kernel_init_method")
    time, space = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}
    order = {"time_space": [[time, space]], "space_time": [[space, time]]}
    kinds = {
        "spacetime": {"name": "mhsa"},
        "factorized_self_attention_block": one_of(order, attention.get("attention_order", "time_space")),
        "factorized_dot_product_attention": {"name": "mhsa", "axes": "split"},
    }
    return one_of(kinds, attention["type"])


def tokenizer_of(encoding: dict, patches: list[int]) -> dict:
    """`tubelet` and `sampled_frames` from scenic's temporal encoding; patches are rows, columns, frames."""
    only(encoding, "method", "n_sampled_frames", "kernel_init_method")
    if encoding["method"] == "3d_conv":
        return {"tubelet": (patches[2], patches[0], patches[1])}
    if encoding["method"] == "temporal_sampling":
        return {"tubelet": (1, patches[0], patches[1]), "sampled_frames": encoding["n_sampled_frames"]}
    raise UnknownVariant(f"tokenizer {encoding['method']!r}")


def encoder_hooks(encoder: Encoder, norm: nn.Module, prefix: str, turn: Callable[[Tensor], Tensor] = as_it_is) -> dict:
    hooks = {prefix: (norm, turn), f"{prefix}/posembed_input": (encoder.dropout, turn)}
    hooks |= {f"{prefix}/encoderblock_{i}": (block, turn) for i, block in enumerate(encoder.blocks)}
    for k, learner in enumerate(encoder.token_learners):
        name = "TokenLearnerModuleV11" if learner.version == "1.1" else "TokenLearnerModule"
        hooks[f"{prefix}/{name}_{k}"] = (learner, turn)
    return hooks | {f"{prefix}/TokenFuser_{k}": (fuser, turn) for k, fuser in enumerate(encoder.token_fusers)}


def on_video(network: nn.Module, hooks: dict) -> Built:
    return Built(
        network,
        lambda state: load_scenic(network, state, source_grid=network.grid),
        lambda x: network(rearrange(x, "b f y x c -> b f c y x" if x.dim() == 5 else "b y x c -> b 1 c y x")),
        {"embedding": (network.tokenizer, as_it_is)} | hooks,
    )


def vivit(case: Case) -> Built:
    h = only(
        case.meta["hyper_parameters"],
        *("class", "attention_config", "mlp_dim", "num_layers", "num_heads", "num_classes", "hidden_size"),
        *("patches_size_h_w_t", "temporal_encoding_config", "classifier", "representation_size"),
        *("spatial_mlp_dim", "spatial_num_layers", "spatial_num_heads"),
        *("temporal_mlp_dim", "temporal_num_layers", "temporal_num_heads"),
    )
    _, frames, rows, columns, _ = case.meta["inputs"][0]["shape"]
    common = {
        "classes": h["num_classes"],
        "frames": frames,
        "size": (rows, columns),
        "width": h["hidden_size"],
        "pool": one_of(POOL, h["classifier"]),
        "pre_logits": h["representation_size"],
        **tokenizer_of(h["temporal_encoding_config"], h["patches_size_h_w_t"]),
    }
    if h["class"] == "ViViT":
        network = ViViT(
            **common,
            depth=h["num_layers"],
            heads=h["num_heads"],
            mlp_ratio=h["mlp_dim"] / h["hidden_size"],
            mixer=mixer_of(h["attention_config"]),
        )
        return on_video(network, encoder_hooks(network.encoder, network.pool.norm, "Transformer"))
    if h["class"] != "SpaceTimeViViT":
        raise UnknownVariant(f"class {h['class']!r}")
    attention = only(h["attention_config"], "type", "spatial_only_baseline")
    time = {
        "time_depth": h["temporal_num_layers"],
        "time_heads": h["temporal_num_heads"],
        "time_mlp_ratio": h["temporal_mlp_dim"] / h["hidden_size"],
    }
    network = FactorisedEncoderViViT(
        **common,
        depth=h["spatial_num_layers"],
        heads=h["spatial_num_heads"],
        mlp_ratio=h["spatial_mlp_dim"] / h["hidden_size"],
        **({"time_depth": 0} if attention.get("spatial_only_baseline") else time),
    )
    hooks = {"SpatialTransformer/pooled": (network.space_pool, as_it_is)}
    steps = network.grid[0]
    if network.time is not None:
        hooks |= encoder_hooks(network.time, network.time_pool.norm, "TemporalTransformer")
    # One module stands for all time steps, so each gets hooks of its own that pick its rows.
    for t in range(steps):

        def turn(x: Tensor, t: int = t) -> Tensor:
            return rearrange(x, "(b t) ... -> b t ...", t=steps)[:, t]

        hooks |= encoder_hooks(network.space, network.space_pool.norm, f"SpatialTransformer/time_{t}", turn)
    return on_video(network, hooks)


def tokenlearner(case: Case) -> Built:
    h = case.meta["hyper_parameters"]
    return one_of(
        {
            "TokenLearnerModule": token_learner_module,
            "TokenLearnerModuleV11": token_learner_module,
            "TokenFuser": token_fuser_module,
            "TokenLearnerViT": token_learner_vit,
        },
        h["class"],
    )(case)


def token_learner_module(case: Case) -> Built:
    h = only(case.meta["hyper_parameters"], "class", "num_tokens", "use_sum_pooling", "bottleneck_dim", "dropout_rate")
    shape = case.meta["inputs"][0]["shape"]
    rows = shape[1] if len(shape) == 4 else round(shape[1] ** 0.5)
    if h["class"] == "TokenLearnerModuleV11":
        options = {"bottleneck": h["bottleneck_dim"]}
        rows = rows if len(shape) == 4 else shape[1]
    else:
        options = {"version": "1.0", "pooling": "sum" if h["use_sum_pooling"] else "mean"}
    learner = TokenLearner(shape[-1], tokens=h["num_tokens"], **options)

    def call(x: Tensor) -> Tensor:
        x = x.flatten(1, -2)
        return learner(rearrange(x, "b (h w) d -> b 1 h w d", h=rows))[:, 0]

    return Built(learner, lambda state: load_scenic(learner, state), call)


def token_fuser_module(case: Case) -> Built:
    h = only(case.meta["hyper_parameters"], "class", "use_normalization", "bottleneck_dim", "dropout_rate")
    _, tokens, width = case.meta["inputs"][0]["shape"]
    fuser = TokenFuser(
        width, tokens=tokens, bottleneck=h["bottleneck_dim"], use_normalization=h.get("use_normalization", True)
    )

    def call(learned: Tensor, original: Tensor) -> Tensor:
        original = original.flatten(1, -2)
        return fuser(learned.unsqueeze(1), rearrange(original, "b n d -> b 1 1 n d"))[:, 0, 0]

    return Built(fuser, lambda state: load_scenic(fuser, state), call)


def token_learner_vit(case: Case) -> Built:
    h = only(
        case.meta["hyper_parameters"],
        *("class", "encoder", "tokenizer", "mlp_dim", "num_layers", "num_heads", "hidden_size", "num_classes"),
        *("classifier", "representation_size"),
    )
    tokenizer = only(
        h["tokenizer"],
        *("type", "patches", "num_tokens", "tokenlearner_loc", "use_v11", "use_tokenfuse", "temporal_encoding_config"),
    )
    shape = case.meta["inputs"][0]["shape"]
    if tokenizer["type"] == "video":
        options = tokenizer_of(tokenizer["temporal_encoding_config"], tokenizer["patches"]["size_h_w_t"])
        frames = shape[1]
    else:
        options, frames = {"tubelet": (1, *tokenizer["patches"]["size_h_w"])}, 1
    if tokenizer["type"] in ("video", "dynamic"):
        options["token_learner"] = TokenLearnerOptions(
            after_block=tokenizer["tokenlearner_loc"],
            tokens=tokenizer["num_tokens"],
            version="1.1" if tokenizer["use_v11"] else "1.0",
            fuse=tokenizer["use_tokenfuse"],
        )
    elif tokenizer["type"] != "patch":
        raise UnknownVariant(f"tokenizer {tokenizer['type']!r}")
    network = ViViT(
        classes=h["num_classes"],
        frames=frames,
        size=tuple(shape[-3:-1]),
        width=h["hidden_size"],
        depth=h["num_layers"],
        heads=h["num_heads"],
        mlp_ratio=h["mlp_dim"] / h["hidden_size"],
        pool=one_of(POOL, h["classifier"]),
        pre_logits=h["representation_size"],
        **options,
    )
    return on_video(network, encoder_hooks(network.encoder, network.pool.norm, "Transformer"))
