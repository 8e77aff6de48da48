"""The golden cases of transformers' ViViT, in vidtok's terms."""

from tests.golden.case import Built, Case
from tests.golden.scenic import as_it_is, only
from vidtok.models.vivit import ViViT
from vidtok.models.weights.transformers_vivit import load_transformers_vivit


def vivit(case: Case) -> Built:
    h = only(
        case.meta["hyper_parameters"],
        *("image_size", "num_frames", "tubelet_size", "hidden_size", "num_hidden_layers"),
        *("num_attention_heads", "intermediate_size", "num_labels"),
    )
    size = h["image_size"]
    network = ViViT(
        classes=h["num_labels"],
        frames=h["num_frames"],
        size=size if isinstance(size, int) else tuple(size),
        tubelet=tuple(h["tubelet_size"]),
        width=h["hidden_size"],
        depth=h["num_hidden_layers"],
        heads=h["num_attention_heads"],
        mlp_ratio=h["intermediate_size"] / h["hidden_size"],
        pool="cls",
    )
    layers = {f"vivit.layers.{i}": (block, as_it_is) for i, block in enumerate(network.blocks)}
    return Built(
        network,
        lambda state: load_transformers_vivit(network, state, source_grid=network.grid),
        network,
        {
            "vivit.embeddings": (network.encoder.dropout, as_it_is),
            "vivit.layernorm": (network.pool.norm, as_it_is),
            **layers,
        },
    )
