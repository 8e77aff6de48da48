"""A network behind its normalisation: uint8 pixels in, logits out; saved to a folder or to a model hub, and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from jaxtyping import Float, Shaped
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vidtok.errors import CheckpointError, ModelError, VidtokError
from vidtok.models.architecture import Architecture
from vidtok.models.network import Network
from vidtok.nn.finite import first_not_finite
from vidtok.types import AttentionMap

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = "vidtok model 1"
METADATA = "vidtok"
"""Key of a .safetensors file's header under which the same description stands as in config.json."""


class Classifier(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="vidtok",
    pipeline_tag="video-classification",
    tags=["video-classification"],
):
    """Normalises uint8 clips, (pixel / 255 - mean) / std for each colour, and calls the network.

    `mean` and `std` are in 0..1, red, green, blue; they are buffers that are not saved with the weights. `classes` are
    the names of the logits, in their order. `architecture` tells how to build the network again; without it the model
    cannot be saved. Raises ModelError where `mean` and `std` do not fit each other.

    `save_pretrained(folder)` writes config.json (network and options, frames and size, mean and std, class names) and
    model.safetensors; `push_to_hub(id)` sends the same to the Hugging Face hub.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: Network,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        classes: Sequence[str],
        architecture: Architecture | None = None,
    ):
        super().__init__()
        if len(mean) != len(std) or min(std) <= 0:
            raise ModelError(f"mean and std need one value for each colour, std above 0; got {mean} and {std}")
        self.network = network
        self.classes = tuple(classes)
        self.architecture = architecture
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)
        # As given: the buffers round to float32, and follow the network's precision.
        self._normalisation = {"mean": list(mean), "std": list(std)}

    def forward(self, x: Shaped[Tensor, "..."]) -> Float[Tensor, "b k"]:
        """The logits of uint8 clips `b f c y x`; ModelError for others, such as pixels that were divided before."""
        if x.dtype != torch.uint8:
            raise ModelError(
                f"a Classifier takes pixels as uint8, 0 to 255, in the order b f c y x, and divides by 255 itself; got "
                f"{x.dtype}. For floats from 0 to 255, whose gradients are wanted: model.network(model.normalise(x))"
            )
        return self.network(self.normalise(x))

    def normalise(self, pixels: Shaped[Tensor, "..."]) -> Float[Tensor, "..."]:
        """(pixel / 255 - mean) / std for each colour: what the network takes, from uint8 or floats in 0 to 255.

        Raises ModelError for pixels that are no clips `b f c y x` of these colours.
        """
        if pixels.ndim != 5 or pixels.shape[2] != self.mean.shape[0]:
            self.network.check_clip(pixels.to(self.mean.dtype))  # it says what came and what is wanted
        pixels = pixels.to(self.mean.dtype, memory_format=torch.contiguous_format)  # batches have the decoder's order
        return (pixels / 255 - self.mean) / self.std

    def attention(self, x: Shaped[Tensor, "..."]) -> tuple[AttentionMap, ...]:
        """Where the network looks; see `Network.attention`."""
        return self.network.attention(self.normalise(x))

    def describe(self) -> dict[str, Any]:
        """What config.json holds; ModelError for a network whose architecture is not known."""
        if self.architecture is None:
            raise ModelError(
                f"{type(self.network).__name__}: a model is saved with the plan of its network; "
                "give Classifier(…, architecture=Architecture(…)), or make it by vidtok.create_model"
            )
        return {
            "format": FORMAT,
            "model": asdict(self.architecture),
            "normalisation": self._normalisation,
            "class_names": list(self.classes),
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any], *, source: str | Path) -> "Classifier":
        """The model of a config.json, with new weights; CheckpointError where `source` holds something else."""
        if description.get("format") != FORMAT:
            raise CheckpointError(f"{source}: not a model of vidtok (its format is not {FORMAT!r})")
        try:
            model, classes = dict(description["model"]), tuple(description["class_names"])
            size = model.pop("size")
            architecture = Architecture(size=size if isinstance(size, int) else tuple(size), **model)
            normalisation = {key: tuple(description["normalisation"][key]) for key in ("mean", "std")}
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{source}: not a whole description of a model: {error!r}") from error
        network = architecture.build(classes=len(classes))
        return cls(network, **normalisation, classes=classes, architecture=architecture)

    def write_weights(self, path: Path) -> None:
        """Write the weights as a .safetensors file whose header carries the description."""
        state = {key: tensor.contiguous() for key, tensor in self.state_dict().items()}
        save_file(state, path, metadata={"format": "pt", METADATA: json.dumps(self.describe())})

    def read_weights(self, path: Path) -> None:
        """Read what `write_weights` wrote, in its precision; CheckpointError for a damaged or another model's file."""
        try:
            state = load_file(path)
            self.to(next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), self.mean.dtype))
            self.load_state_dict(state)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{path}: damaged, or not this model's weights: {error}") from error
        if name := first_not_finite(state):
            raise CheckpointError(f"{path}: these weights cannot be used: {name} is not finite (an infinity or a NaN)")

    def _save_pretrained(self, save_directory: Path) -> None:
        text = json.dumps(self.describe(), indent=2, ensure_ascii=False)
        (save_directory / CONFIG).write_text(text + "\n", encoding="utf-8")
        self.write_weights(save_directory / WEIGHTS)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> "Classifier":
        """A saved model, in evaluation mode, from a folder or by its id on the Hugging Face hub.

        The other arguments are the hub's. Weights are read from model.safetensors alone, never from a pickle.
        Raises CheckpointError for a folder or an id that holds no such model.
        """
        if Path(source).is_dir():
            check_pretrained(Path(source))
        try:
            return super().from_pretrained(
                source,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
            )
        except VidtokError:
            raise
        except (OSError, ValueError, EntryNotFoundError) as error:
            raise CheckpointError(
                f"{source}: neither a folder with {CONFIG} and {WEIGHTS}, nor to be had from the hub: {error}"
            ) from error

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        config: dict[str, Any] | None = None,
    ) -> "Classifier":
        if config is None:
            raise CheckpointError(f"{model_id}: there is no {CONFIG} on the hub under this id")
        model = cls.from_description(config, source=f"{model_id}/{CONFIG}")
        path = Path(model_id) / WEIGHTS
        if not path.parent.is_dir():
            downloaded = hf_hub_download(
                model_id,
                WEIGHTS,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
            )
            path = Path(downloaded)
        model.read_weights(path)
        return model.eval()


def is_pretrained(path: str | Path) -> bool:
    """Whether this is a folder that `save_pretrained` wrote."""
    return (Path(path) / CONFIG).is_file()


def check_pretrained(folder: Path) -> None:
    """Raise CheckpointError where `save_pretrained` has not written both of its files."""
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if not missing:
        return
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    hint = f"; {', '.join(pickles)} is not read from here: bring it in by tools/convert_weights.py" if pickles else ""
    raise CheckpointError(f"{folder}: {' and '.join(missing)} missing, as save_pretrained writes them{hint}")


def numbered(classes: int) -> tuple[str, ...]:
    """Names for classes that have none: their numbers."""
    return tuple(map(str, range(classes)))
