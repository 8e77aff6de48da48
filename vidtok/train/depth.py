"""The blocks of a network from first to last, and how deep each parameter lies."""

from collections.abc import Iterable

from torch import nn

from vidtok.errors import ConfigError
from vidtok.models.casvit import CASViT
from vidtok.models.maxvit import MaxViT
from vidtok.models.stvit import STViT
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT


def network_blocks(network: nn.Module, *, key: str) -> tuple[nn.Module, ...]:
    """The network's blocks, first to last: those of the space encoder before those of the time encoder.

    `key` is the key of the config that needs them. Raises ConfigError for a network whose blocks are not known here.
    """
    if isinstance(network, ViViT):
        return tuple(network.blocks)
    if isinstance(network, FactorisedEncoderViViT):
        return (*network.space.blocks, *(network.time.blocks if network.time is not None else ()))
    if isinstance(network, STViT | MaxViT | CASViT):
        return tuple(block for stage in network.stages for block in _children(stage))
    raise ConfigError(
        f"{key}: the blocks of {type(network).__name__} are not known; it works with ViViT, its factorised encoder, "
        "STViT, MaxViT and CAS-ViT"
    )


def parameter_depths(network: nn.Module, *, key: str) -> dict[str, int]:
    """The depth of every parameter, by name: 0 for what stands before the blocks, i + 1 for block i, then the rest.

        tokenizer, stem, positions   block 0   block 1   …   block L - 1   last norm, head
                    0                   1         2      …        L             L + 1

    as in BEiT (Bao et al., arXiv 2106.08254, in the authors' code). Here TokenLearner and TokenFuser belong to the
    block that follows them, a layer that halves the grid to the stage that follows, the pooling between the two
    encoders of a factorised ViViT to the last block of the first, and the positions of the second to its first block.
    """
    blocks = network_blocks(network, key=key)
    last = len(blocks) + 1
    depths: dict[int, int] = {}

    def put(modules: Iterable[nn.Module | None], depth: int) -> None:
        for module in modules:
            depths.update({id(parameter): depth for parameter in (module.parameters() if module is not None else ())})

    for i, block in enumerate(blocks):
        put([block], i + 1)
    if isinstance(network, ViViT | FactorisedEncoderViViT):
        first = network.encoder if isinstance(network, ViViT) else network.space
        put([network.tokenizer, first.position, first.class_token], 0)
        for layers in (first.token_learners, first.token_fusers):
            for place, layer in enumerate(layers):
                put([layer], (first.after_block or 0) + place + 1)
    if isinstance(network, FactorisedEncoderViViT):
        put([network.space_pool], len(network.space.blocks))
        if network.time is not None:
            put([network.time.position, network.time.class_token], len(network.space.blocks) + 1)
    if isinstance(network, STViT | MaxViT | CASViT):
        put([network.stem], 0)
    if isinstance(network, STViT | CASViT):
        before = 0
        for stage, downsample in zip(network.stages, network.downsamples, strict=False):
            before += len(_children(stage))
            put([downsample], before + 1)
    return {name: depths.get(id(parameter), last) for name, parameter in network.named_parameters()}


def _children(stage: nn.Module) -> tuple[nn.Module, ...]:
    return tuple(stage.children())
