"""The videos that `fit` learns from: the list, what the encoder says of each video, and their division into folds."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import Backend, ProbeKind, ScoreKind
from vidtok.data.divide import divide
from vidtok.data.groups import join_copies, read_groups
from vidtok.data.lists import Records, check_labels, describe, open_list
from vidtok.errors import ConfigError, DataError
from vidtok.infer.predict import model_views
from vidtok.infer.summarise import CONTROLS, summarise_videos
from vidtok.models.classifier import Classifier
from vidtok.models.token_probes import TOKEN_PROBES
from vidtok.nn.reduce_tokens import Reduction
from vidtok.runs.fit_model import SUMMARIES
from vidtok.runs.fit_words import set_words
from vidtok.runs.progress import FileProgress
from vidtok.text.classes import read_classes
from vidtok.train.nested import Features, Videos
from vidtok.types import Failure

FOLDS = 5
"""Into which a set is divided, where nobody says otherwise."""

MOST_GROUPS = 10
"""Named groups that are left out one at a time; more take longer, and tell no more."""


@dataclass(frozen=True, kw_only=True)
class VideoList:
    """A list or folder of labelled videos."""

    source: str | Path
    records: Records
    classes: tuple[str, ...]
    kind: ScoreKind
    """softmax where each video has one label, sigmoid where one has several or none."""


@dataclass(frozen=True, kw_only=True)
class EncodedVideos:
    """What an encoder says of the videos that can be decoded, one after the other."""

    rows: Sequence[int]
    """Of the list."""
    features: Mapping[str, Features]
    """By control (CONTROLS, `one` aside), the parts of all summaries."""
    one_frame: Features
    thumbnails: Float[Tensor, "n ..."]
    tokens: Sequence[Mapping[str, Path]]
    """Files of the tokens of each video, for probes with attention."""
    failed: int
    """Videos of the list that cannot be decoded."""


def read_set(source: str | Path, *, root: str | Path | None, classes: str | Path | None, format: str) -> VideoList:
    """Open a list or a folder with a sub-folder per class, and say how it was read.

    Raises ConfigError where a list writes labels as numbers and no `classes` name them.
    """
    names = read_classes(classes) if classes is not None else None
    records, told = open_list(source, root=root, classes=names, format=format, part="train")
    if told is None:
        raise ConfigError(f"--classes: {source} writes labels as numbers; name a file with one class name per line")
    print(describe(records))
    several = any(len(record.labels) != 1 for record in records)
    check_labels(records, told, several=several)
    return VideoList(source=source, records=records, classes=tuple(told), kind="sigmoid" if several else "softmax")


def encode_set(
    videos: VideoList,
    model: Classifier,
    *,
    folder: Path,
    probe: ProbeKind,
    workers: int,
    backend: Backend,
    allow_missing: bool,
) -> EncodedVideos:
    """Each video once through the encoder of `model`; what it says stands in `folder` and is used again.

    Raises DataError that names the first videos that cannot be decoded, unless they may be left out.
    """
    seen = () if probe == "linear" else (TOKEN_PROBES[probe].reduction,)
    vectors, tokens, failed = encode(
        model, videos.records, folder=folder, reductions=seen, workers=workers, backend=backend
    )
    if failed and not allow_missing:
        raise DataError(
            f"{len(failed)} of {len(videos.records)} videos cannot be decoded; mend or remove them, or leave them out "
            "with --allow-missing:" + "".join(f"\n  {failure.cause}" for failure in failed[:5])
        )
    rows = sorted(vectors)
    own = [vectors[row] for row in rows]
    return EncodedVideos(
        rows=rows,
        features={control: stacked(own, control) for control in CONTROLS if control != "one"},
        one_frame={"mean": torch.stack([each["one.mean"] for each in own]).double()},
        thumbnails=torch.stack([each["thumbnails"] for each in own]),
        tokens=[tokens[row] for row in rows],
        failed=len(failed),
    )


def divide_set(videos: VideoList, encoded: EncodedVideos, *, group: str | None, folds: int | None, seed: int) -> Videos:
    """The videos in folds that keep groups and copies together; says what the set is like, and what is odd about it.

    `folds`: see `usual_folds` for None. Raises DataError for a set in which nothing can be left out to measure with.
    """
    rows, records = encoded.rows, videos.records
    own = read_groups(records, rows, group)
    labels = [records[row].labels for row in rows]
    joined = join_copies(own, labels, encoded.thumbnails)
    counted = Counter(label for each in labels for label in each)
    paths = [records[row].path for row in rows]
    print("\n".join(set_words(counted, videos.classes, own, joined, labels, paths)), flush=True)
    if folds is None:
        folds = usual_folds(counted, joined.groups) if group is not None else FOLDS
    parts = count_folds(folds, counted, videos.classes, joined.groups, source=videos.source)
    division = divide(labels, joined.groups, folds=parts, seed=seed)
    return Videos(labels=labels, groups=joined.groups, folds=division, classes=len(videos.classes))


def encode(
    model: Classifier,
    records: Records,
    *,
    folder: Path,
    reductions: Sequence[Reduction] = (),
    workers: int,
    backend: Backend,
) -> tuple[dict[int, Mapping[str, Tensor]], dict[int, Mapping[str, Path]], list[Failure]]:
    """The summaries of every video that can be decoded, by row, the files of its tokens, and those that cannot."""
    found: dict[int, Mapping[str, Tensor]] = {}
    tokens: dict[int, Mapping[str, Path]] = {}
    failed: list[Failure] = []
    results = summarise_videos(
        model,
        records,
        views=model_views(model),
        folder=folder,
        reductions=reductions,
        workers=workers,
        backend=backend,
    )
    with FileProgress(len(records)) as progress:
        for each in results:
            if isinstance(each, Failure):
                failed.append(each)
                progress.say(f"bad: {each.cause}")
            else:
                found[each.index], tokens[each.index] = each.vectors, each.tokens
            progress.add(bad=isinstance(each, Failure))
    return found, tokens, failed


def stacked(vectors: Sequence[Mapping[str, Tensor]], control: str) -> dict[str, Float[Tensor, "n _"]]:
    """The parts of all summaries of all videos under this control, in double precision, by name."""
    parts = dict.fromkeys(part for name in SUMMARIES for part in name.split("_"))
    return {part: torch.stack([own[f"{control}.{part}"] for own in vectors]).double() for part in parts}


def check_set(videos: VideoList, *, group: str | None) -> None:
    """Raise DataError, before anything is encoded, for groups that cannot be read and sets that cannot be measured."""
    rows, records = range(len(videos.records)), videos.records
    groups = read_groups(records, rows, group)
    counted = Counter(label for row in rows for label in records[row].labels)
    check_measurable(counted, videos.classes, groups, source=videos.source)


def check_measurable(
    counted: Mapping[int, int], classes: Sequence[str], groups: Sequence[Hashable], *, source: str | Path
) -> None:
    """Raise DataError for a set in which nothing can be left out to measure with."""
    if len(classes) < 2:
        raise DataError(f"{source}: has one class, {classes[0]!r}; a classifier tells two apart at least")
    if empty := [name for k, name in enumerate(classes) if not counted.get(k)]:
        raise DataError(
            f"{source}: no readable video shows {', '.join(empty[:5])}; take these classes out, or add videos"
        )
    rarest = min(counted, key=lambda k: counted[k])
    if min(len(set(groups)), counted[rarest]) < 2:
        raise DataError(
            f"{source}: nothing can be left out to measure with: {len(set(groups))} groups, and {classes[rarest]} has "
            f"{counted[rarest]} videos; two of each are the least"
        )


def usual_folds(counted: Mapping[int, int], groups: Sequence[Hashable]) -> int:
    """One for each of up to ten named groups, which are left out one at a time where every class has as many videos.

    FOLDS otherwise: how a classifier does with a person whom it has not seen is known best from all the others.
    """
    count = len(set(groups))
    return count if FOLDS < count <= MOST_GROUPS and min(counted.values()) >= count else FOLDS


def count_folds(
    wanted: int, counted: Mapping[int, int], classes: Sequence[str], groups: Sequence[Hashable], *, source: str | Path
) -> int:
    """As many folds as there can be; DataError as `check_measurable`."""
    check_measurable(counted, classes, groups, source=source)
    rarest = min(counted, key=lambda k: counted[k])
    least = min(wanted, len(set(groups)), counted[rarest])
    if least < wanted:
        few = f"there are {least} groups" if least == len(set(groups)) else f"{classes[rarest]} has {least} videos"
        print(f"note: {least} folds instead of {wanted}: {few}")
    return least
