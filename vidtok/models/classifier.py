"""A network behind its normalisation: uint8 pixels in, logits out; saved to a folder or to a model hub, and back."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from jaxtyping import Float, Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vidtok.errors import CheckpointError, ModelError, VidtokError
from vidtok.models.about import About
from vidtok.models.architecture import Architecture
from vidtok.models.card import MARK, model_card
from vidtok.models.class_names import class_names
from vidtok.models.feeding import Feeding
from vidtok.models.generators import untouched_generators
from vidtok.models.network import Network
from vidtok.nn.finite import first_not_finite
from vidtok.types import AttentionMap

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
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
    cannot be saved. `feeding` tells how a clip is taken from a video, `about` what the model learned from and how good
    it is, where that is known. Raises ModelError where `mean` and `std` do not fit each other, and for names that
    `class_names` refuses.

    `save_pretrained(folder)` writes config.json (network and options, frames and size, mean and std, class names, and
    how a clip is taken), model.safetensors, and a README.md, the model's card, where none stands there;
    `push_to_hub(id)` sends the same to the Hugging Face hub.
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
        feeding: Feeding | None = None,
        about: About | None = None,
    ):
        super().__init__()
        self.network = network
        self.classes = class_names(classes)
        self.architecture = architecture
        self.feeding = feeding
        self.about = about
        self.register_buffer("mean", torch.empty(0), persistent=False)
        self.register_buffer("std", torch.empty(0), persistent=False)
        self.normalise_by(mean=mean, std=std)

    def normalise_by(self, *, mean: Sequence[float], std: Sequence[float]) -> None:
        """Normalise by these from now on, as weights that came later were made for it."""
        if len(mean) != len(std) or min(std) <= 0:
            raise ModelError(f"mean and std need one value for each colour, std above 0; got {mean} and {std}")
        self.mean = torch.tensor(mean, dtype=self.mean.dtype, device=self.mean.device).view(-1, 1, 1)
        self.std = torch.tensor(std, dtype=self.std.dtype, device=self.std.device).view(-1, 1, 1)
        # As given: the buffers round to float32, and follow the network's precision.
        self._normalisation = {"mean": list(mean), "std": list(std)}

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each colour as they were given, in full precision."""
        return tuple(self._normalisation["mean"]), tuple(self._normalisation["std"])

    def forward(self, x: Shaped[Tensor, "..."]) -> Float[Tensor, "b k"]:
        """The logits of uint8 clips `b f c y x`; ModelError for others, such as pixels that were divided before."""
        if x.dtype != torch.uint8:
            raise ModelError(
                f"a Classifier takes pixels as uint8, 0 to 255, in the order b f c y x, and divides by 255 itself; got "
                f"{x.dtype}. For floats from 0 to 255, whose gradients are wanted: model.network(model.normalise(x))"
            )
        most = self.network.clips_at_once
        if most is not None and x.ndim == 5 and x.shape[0] > most:  # floats of a part at a time are held
            return torch.cat([self.network(self.normalise(part)) for part in x.split(most)])
        return self.network(self.normalise(x))

    def for_inference(self, *, fused: bool | None = None) -> "Classifier":
        """The same model with its network in the form of `Network.for_inference`; this one stays as it is."""
        mean, std = self.normalisation
        form = type(self)(
            self.network.for_inference(fused=fused),
            mean=mean,
            std=std,
            classes=self.classes,
            architecture=self.architecture,
            feeding=self.feeding,
            about=self.about,
        )
        form.mean, form.std = self.mean.clone(), self.std.clone()
        return form.eval()

    def normalise(self, pixels: Shaped[Tensor, "..."]) -> Float[Tensor, "..."]:
        """(pixel / 255 - mean) / std for each colour: what the network takes, from uint8 or floats in 0 to 255.

        Raises ModelError for pixels that are no clips `b f c y x` of these colours.
        """
        if pixels.ndim != 5 or pixels.shape[2] != self.mean.shape[0]:
            self.network.check_clip(pixels.to(self.mean.dtype))  # it says what came and what is wanted
        # Batches have the decoder's order.
        floats = pixels.to(self.mean.dtype, memory_format=torch.contiguous_format)
        if pixels.dtype == torch.uint8:  # a copy, in which the same numbers take a third of the time
            return floats.div_(255).sub_(self.mean).div_(self.std)
        return (floats / 255 - self.mean) / self.std

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
            **({} if self.feeding is None else {"clip": self.feeding.describe()}),
            **({} if self.about is None else {"provenance": self.about.describe()}),
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any], *, source: str | Path) -> "Classifier":
        """The model of a config.json, with new weights, drawn without touching the caller's random generators.

        Raises CheckpointError where `source` holds something else.
        """
        given = described(description, source=source)
        with untouched_generators():
            network = given["architecture"].build(classes=len(given["classes"]))
        return cls(network, **given)

    def write_weights(self, path: Path) -> None:
        """Write the weights as a .safetensors file whose header carries the description.

        Raises ModelError for a form for inference, whose weights no other network could read.
        """
        if self.network.is_inference_form:
            raise ModelError("this is a form for inference (for_inference): save the model that it was made of")
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
        card = save_directory / CARD
        if card.is_file() and MARK in card.read_text(encoding="utf-8", errors="replace"):
            card.unlink()  # of the model that stood here before; save_pretrained writes where there is none

    def generate_model_card(self) -> ModelCard:
        """README.md of a saved model."""
        from vidtok.models.cost import count_cost  # torch's counter is wanted here alone

        assert self.architecture is not None
        plan, cost = self.architecture, None
        with contextlib.suppress(NotImplementedError, RuntimeError):  # of one that cannot run on shapes alone
            whole = count_cost(self.network, frames=plan.frames, size=plan.size, colours=len(self.mean))[""]
            cost = (whole.parameters, whole.macs)
        return ModelCard(model_card(self.describe(), cost=cost))

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


class Described(TypedDict):
    """A Classifier's arguments beside its network."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    architecture: Architecture
    feeding: Feeding | None
    about: About | None


def described(description: Mapping[str, Any], *, source: str | Path) -> Described:
    """What `describe` says, checked; CheckpointError where `source` holds something else."""
    if description.get("format") != FORMAT:
        hint = ""
        if "model_type" in description:
            hint = "; weights of transformers come into a model by vidtok.create_model(NAME, weights=FOLDER)"
        raise CheckpointError(f"{source}: not a model of vidtok (its format is not {FORMAT!r}){hint}")
    try:
        model, classes = dict(description["model"]), tuple(description["class_names"])
        size = model.pop("size")
        mean, std = (tuple(description["normalisation"][key]) for key in ("mean", "std"))
        return {
            "mean": mean,
            "std": std,
            "classes": classes,
            "architecture": Architecture(size=size if isinstance(size, int) else tuple(size), **model),
            "feeding": Feeding.of(description["clip"]) if "clip" in description else None,
            "about": About.of(description["provenance"]) if "provenance" in description else None,
        }
    except (KeyError, TypeError, ModelError) as error:
        raise CheckpointError(f"{source}: not a whole description of a model: {error!r}") from error


def read_description(path: Path) -> dict[str, Any] | None:
    """What vidtok wrote into the header of a .safetensors file, or None; CheckpointError for a damaged file."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return json.loads(metadata.get(METADATA, "null"))
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: a damaged .safetensors file: {error}") from error


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
