"""Each video once through a frozen encoder; summaries and tokens stand on disk, so that none is encoded again."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vidtok.choices import Backend
from vidtok.data.dataset import VideoDataset
from vidtok.data.loader import EvalBatches, make_loader
from vidtok.data.views import TestViews
from vidtok.models.classifier import Classifier
from vidtok.models.summary_network import SummaryNetwork, encoder_options, summaries
from vidtok.nn.reduce_tokens import Reduction
from vidtok.types import Failure, Record

CONTROLS = ("plain", "one", "shuffled", "reversed")
"""The clip as it is, its middle frame in the place of all, its frames in another order, and backwards."""
THUMBNAILS, THUMBNAIL = 16, 16
"""How many small pictures a clip has at most, and rows and columns of each."""
FORM = 2
"""Of the files; another number when what they hold changes."""


@dataclass(frozen=True, kw_only=True)
class Summarised:
    """The summaries of one video: `control.part` -> a vector; and `thumbnails`, see there."""

    index: int
    vectors: Mapping[str, Float[Tensor, "..."]]
    tokens: Mapping[str, Path] = field(default_factory=dict)
    """By `token_names`, the file that holds the video's tokens; `read_tokens` opens it."""


def summarise_videos(
    model: Classifier,
    records: Sequence[Record],
    *,
    views: TestViews,
    folder: Path,
    reductions: Sequence[Reduction] = (),
    workers: int = 0,
    backend: Backend = "pyav",
) -> Iterator[Summarised | Failure]:
    """The summaries of each record's clip as they come: those in `folder` first, the others as they are encoded.

    A file belongs to a video's content, the part of it that the record is, the encoder's weights and the way in which
    the clip is taken; it is written whole or not at all. `reductions`: what of the last maps is kept besides, each in a
    file of its own, whose size does not count in memory; see `token_names`. Videos that cannot be decoded come as a
    Failure.
    """
    network = model.network
    assert isinstance(network, SummaryNetwork)
    folder.mkdir(parents=True, exist_ok=True)
    way, names = fingerprint(model, views), token_names(network, reductions)
    left = []
    places: list[Path] = []
    for index, record in enumerate(records):
        try:
            places.append(folder / f"{video_key(record, way)}.safetensors")
        except OSError as error:
            places.append(folder)
            yield Failure(index=index, path=record.path, cause=f"{record.path}: {error.strerror}", key=record.key)
            continue
        kept, tokens = read_kept(places[-1]), token_files(places[-1], names)
        if kept is None or not all(is_whole(file) for file in tokens.values()):
            left.append(index)
        else:
            yield Summarised(index=index, vectors=kept, tokens=tokens)
    if not left:
        return
    dataset = VideoDataset([records[index] for index in left], views=views, backend=backend)
    model.eval()
    for batch in make_loader(dataset, EvalBatches(records=len(left), batch=1), workers=workers):
        for failure in batch.failures:
            yield replace(failure, index=left[failure.index])
        for row, clip in zip(batch.indices, batch.views[:, 0], strict=True):
            vectors = clip_summaries(model, network, clip, reductions)
            tokens = token_files(places[left[row]], names)
            for name, file in tokens.items():
                keep(file, {"tokens": vectors.pop(f"tokens.{name}")})
            keep(places[left[row]], vectors)
            yield Summarised(index=left[row], vectors=vectors, tokens=tokens)


@torch.inference_mode()
def clip_summaries(
    model: Classifier, network: SummaryNetwork, clip: Tensor, reductions: Sequence[Reduction] = ()
) -> dict[str, Float[Tensor, "..."]]:
    """All parts of one clip `f c y x` of uint8, for each control, and its thumbnails.

    Frames are encoded once where the encoder sees each by itself, and once for each control where it does not. Of each
    reduction the tokens besides, `t s d` as `tokens.NAME`, in half precision; NAME as `token_names` has it.
    """
    last, middle = maps = network.maps(model.normalise(clip[None].to(model.mean.device)))
    found = {}
    for control, order in frame_orders(clip.shape[0]).items():
        if network.frames_apart:
            maps = last[:, order], middle[:, order]
        elif control != "plain":
            maps = network.maps(model.normalise(clip[None, order].to(model.mean.device)))
        parts = summaries(*maps)
        found |= {f"{control}.{part}": vector[0].float().cpu().clone() for part, vector in parts.items()}
        if control in token_controls(network):
            kept = {token_name(each, control): in_half(each(maps[0])[0]).cpu().clone() for each in reductions}
            found |= {f"tokens.{name}": tokens for name, tokens in kept.items()}
    return {**found, "thumbnails": thumbnails(clip)}


def frame_orders(steps: int) -> dict[str, Int64[Tensor, "t"]]:
    """Which frame, or which time step, stands where under each control."""
    return {
        "plain": torch.arange(steps),
        "one": torch.full((steps,), (steps - 1) // 2),
        "shuffled": torch.randperm(steps, generator=torch.Generator().manual_seed(0)),
        "reversed": torch.arange(steps - 1, -1, -1),
    }


def token_controls(network: SummaryNetwork) -> tuple[str, ...]:
    """Whose tokens are kept: where frames are encoded apart, those of the clip, which stand for it in any order."""
    return ("plain",) if network.frames_apart else ("plain", "shuffled", "reversed")


def token_name(reduction: Reduction, control: str) -> str:
    """A reduction's own name, with the control behind it where it is one."""
    return reduction.name if control == "plain" else f"{reduction.name}.{control}"


def token_names(network: SummaryNetwork, reductions: Sequence[Reduction]) -> list[str]:
    """The tokens that are kept of each clip."""
    return [token_name(each, control) for control in token_controls(network) for each in reductions]


def thumbnails(clip: UInt8[Tensor, "f c y x"]) -> Float[Tensor, "t 16 16"]:
    """Small grey pictures, 0 to 255, by which copies are found: of each frame, or means over time of many."""
    grey = reduce(clip.cpu().float(), "f c y x -> f y x", "mean")
    parts = [part.mean(dim=0) for part in grey.tensor_split(min(THUMBNAILS, len(grey)))]
    return F.adaptive_avg_pool2d(torch.stack(parts), THUMBNAIL)


def fingerprint(model: Classifier, views: TestViews) -> str:
    """What summaries follow from beside the video: weights of the encoder, normalisation, and how a clip is taken."""
    network = model.network
    assert isinstance(network, SummaryNetwork)
    digest = hashlib.blake2b(digest_size=16)
    told = {"form": FORM, "views": asdict(views), "normalisation": model.normalisation, "middle": network.middle}
    if (plan := model.architecture) is not None:  # equal weights with other heads or activations say something else
        told["network"] = (plan.network, encoder_options(plan.options))
    digest.update(json.dumps(told, sort_keys=True, default=str).encode())
    for name, tensor in network.body.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def video_key(record: Record, way: str) -> str:
    """A name for the summaries of this part of this video, by its content. OSError for a file that is not there."""
    digest = hashlib.blake2b(f"{way} {record.start_seconds} {record.end_seconds} {record.fps}".encode(), digest_size=16)
    files = sorted(record.path.iterdir()) if record.path.is_dir() else [record.path]
    for file in files:
        with open(file, "rb") as content:
            digest.update(hashlib.file_digest(content, "blake2b").digest())
    return digest.hexdigest()


def token_files(place: Path, names: Sequence[str]) -> dict[str, Path]:
    """Where a video's tokens are kept, beside its summaries."""
    return {name: place.with_name(f"{place.stem}.{name}.safetensors") for name in names}


def in_half(tokens: Float[Tensor, "t s d"]) -> Float[Tensor, "t s d"]:
    """In half precision, unless a number is too large for it."""
    half = tokens.half()
    return half if bool(half.isfinite().all()) else tokens


def is_whole(path: Path) -> bool:
    """Whether a file of tokens is there and of the length that its header tells."""
    try:
        with safe_open(path, "pt") as file:
            return "tokens" in file.keys()  # noqa: SIM118, a file is no dictionary
    except (OSError, SafetensorError):
        return False


def read_tokens(path: Path) -> Float[Tensor, "t s d"]:
    """A video's tokens as they were kept, most in float16, out of the mapped file: memory holds what is in use."""
    with safe_open(path, "pt") as file:
        return file.get_tensor("tokens")


def read_kept(path: Path) -> dict[str, Tensor] | None:
    """What `keep` wrote, or None where there is no whole file."""
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        return None


def keep(path: Path, vectors: Mapping[str, Tensor]) -> None:
    """Write the file whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    save_file({name: vector.contiguous() for name, vector in vectors.items()}, aside)
    os.replace(aside, path)
