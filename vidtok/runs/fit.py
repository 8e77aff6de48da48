"""A classifier from a folder of one's own clips: an encoder, what it says of each clip, and a probe."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import Backend, Device, FineTuning, ProbeKind, ScoreKind, Summary
from vidtok.data.divide import divide
from vidtok.data.groups import join_copies, read_groups
from vidtok.data.lists import Records, check_labels, describe, open_list
from vidtok.data.survey import median_seconds
from vidtok.errors import ConfigError, DataError
from vidtok.infer.predict import VideoClassifier, model_views
from vidtok.infer.summarise import CONTROLS, summarise_videos
from vidtok.models.about import About
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.summary_network import SummaryNetwork
from vidtok.models.token_probes import TOKEN_PROBES
from vidtok.nn.reduce_tokens import Reduction
from vidtok.runs.encoder_choice import choose_encoder
from vidtok.runs.fit_results import write_fit
from vidtok.runs.fit_tokens import around, probe_note, token_fit
from vidtok.runs.fit_tune import Tuning
from vidtok.runs.fit_words import result_words, set_words
from vidtok.runs.laps import Laps
from vidtok.runs.progress import FileProgress
from vidtok.runs.run_report import REPORT
from vidtok.text.classes import read_classes
from vidtok.train.nested import INNER, Videos, left_out_logits, standard_error
from vidtok.train.parallel import start_parallel
from vidtok.train.probe import Choice, Linear, figure_of, fit_probe
from vidtok.types import Failure

SUMMARIES: tuple[Summary, ...] = get_args(Summary)
"""Parts of what is kept of a clip, and all their unions; `mean` is a part of `time` and of `maps`."""
CONTROL_WORDS = {"one": "one frame", "shuffled": "shuffled", "reversed": "reversed"}


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A classifier, and how good it is on videos that it has not seen."""

    model: VideoClassifier
    figure: str
    """top1, or mAP where videos have several labels or none."""
    value: float
    spread: float | None
    """Standard error of top1, from groups drawn with repetition."""
    controls: Mapping[str, float]
    line: str


def run_fit(
    source: str | Path,
    *,
    out: str | Path,
    encoder: str | None = None,
    group: str | None = None,
    classes: str | Path | None = None,
    root: str | Path | None = None,
    format: str = "auto",
    folds: int = 5,
    frames: int | None = None,
    probe: ProbeKind = "linear",
    finetune: FineTuning | None = None,
    workers: int = 0,
    backend: Backend = "pyav",
    device: Device = "auto",
    seed: int = 0,
    allow_missing: bool = False,
) -> Fitted:
    """Fit a classifier on a folder with a sub-folder per class, or a list, and say how good it is.

    `group`: a column of the list, or a pattern with one pair of brackets for the paths; videos of one group (a person,
    a place, a long video) are never on both sides of a division, nor are copies. `encoder`: see `choose_encoder`.
    `frames`: of each video; by default 16, or as many as the encoder was built for. `probe`: linear, on the summary and
    with the penalty that do best on inner folds, or one with attention on the tokens, whose settings are fixed.
    `finetune`: train the encoder's last blocks from the linear probe's start, and measure that with every fold left
    out, or once, with the first one alone; the probe is then linear.
    Each video is encoded once; what was encoded stands in `out`/features and is used again. The model, in
    `out`/model, needs nothing else. Raises VidtokError for what cannot be used.
    """
    laps, folder = Laps(), Path(out)
    if folds < 2:
        raise ConfigError(f"--folds counts from 2, got {folds}")
    if finetune is not None and probe != "linear":
        raise ConfigError(f"--finetune starts from the linear probe: leave --probe {probe} out")
    names = read_classes(classes) if classes is not None else None
    records, told = open_list(source, root=root, classes=names, format=format, part="train")
    if told is None:
        raise ConfigError(f"--classes: {source} writes labels as numbers; name a file with one class name per line")
    print(describe(records))
    multi = any(len(record.labels) != 1 for record in records)
    kind: ScoreKind = "sigmoid" if multi else "softmax"
    check_labels(records, told, several=multi)
    weights = choose_encoder(encoder)
    frames = weights.clip_frames(frames)
    print(f"encoder: {weights.name}, from {weights.source}", flush=True)

    with start_parallel(device) as parallel:
        model = encoder_model(weights, told, summary="mean", frames=frames, kind=kind).to(parallel.device)
        seen = () if probe == "linear" else (TOKEN_PROBES[probe].reduction,)
        vectors, tokens, failed = encode(
            model, records, folder=folder / "features", reductions=seen, workers=workers, backend=backend
        )
    laps.end("encoding")
    if failed and not allow_missing:
        raise DataError(
            f"{len(failed)} of {len(records)} videos cannot be decoded; mend or remove them, or leave them out with "
            "--allow-missing:" + "".join(f"\n  {failure.cause}" for failure in failed[:5])
        )
    rows = sorted(vectors)
    paths = [records[row].path for row in rows]
    features = {control: stacked([vectors[row] for row in rows], control) for control in CONTROLS if control != "one"}
    one_frame = {"mean": torch.stack([vectors[row]["one.mean"] for row in rows]).double()}
    own = read_groups(records, rows, group)
    labels = [records[row].labels for row in rows]
    groups = join_copies(own, labels, torch.stack([vectors[row]["thumbnails"] for row in rows]))
    counted = Counter(label for each in labels for label in each)
    print("\n".join(set_words(counted, told, own, groups, labels, paths)), flush=True)
    parts = count_folds(folds, counted, told, groups.groups, source=source)
    if note := probe_note(probe, counted, told):
        print(note, flush=True)
    division = divide(labels, groups.groups, folds=parts, seed=seed)
    videos = Videos(labels=labels, groups=groups.groups, folds=division, classes=len(told))

    attentive = None
    if probe == "linear":
        logits = left_out_logits(features, videos, kind=kind, among=SUMMARIES, seed=seed)
    else:
        network = model.network
        assert isinstance(network, SummaryNetwork)
        attentive = token_fit(probe, [tokens[row] for row in rows], network, classes=len(told))
        logits = attentive.left_out(videos, kind=kind, seed=seed)
    laps.end("choosing and measuring")
    logits |= left_out_logits({"one": one_frame}, videos, kind=kind, seed=seed)
    laps.end("one frame")
    tuned, measured = None, list(range(len(rows)))
    if finetune is not None:
        tuning = Tuning(
            records=records.subset(rows),
            classes=told,
            kind=kind,
            folder=folder / "tune",
            backend=backend,
            workers=workers,
            seed=seed,
        )

        def start(own: Sequence[int]) -> Classifier:
            return linear_model(weights, told, features["plain"], videos, own, frames=frames, kind=kind, seed=seed)[1]

        with start_parallel(device) as parallel:
            tuned, own_logits, measured = tuning.run(videos, start, logits["plain"], parallel, how=finetune)
        logits |= own_logits
        laps.end("fine-tuning")
    kept, seen_folds = torch.tensor(measured), len({division[row] for row in measured})
    figures = {control: figure_of(each[kept], videos.targets[kept], kind=kind) for control, each in logits.items()}
    half = None
    if videos.can_halve() and finetune is None:
        if attentive is None:
            own_features = {"plain": features["plain"]}
            halved = left_out_logits(own_features, videos, kind=kind, among=SUMMARIES, seed=seed, share=2)["plain"]
        else:
            halved = attentive.left_out(videos, kind=kind, seed=seed, share=2)["plain"]
        half = figure_of(halved, videos.targets, kind=kind)
        laps.end("half of the clips")
    hits = (logits["plain"].argmax(dim=1) == videos.targets.argmax(dim=1))[kept].tolist()
    spread = None if multi else standard_error(hits, [groups.groups[row] for row in measured], seed=seed)

    choice, chosen = None, str(probe)
    if attentive is None:
        choice, fitted = linear_model(
            weights, told, features["plain"], videos, range(len(rows)), frames=frames, kind=kind, seed=seed
        )
        chosen = choice.features
        if tuned is not None:
            fitted, chosen = tuned, f"{chosen}, fine-tuned"
    else:
        fitted = attentive.model(weights, told, videos, frames=frames, kind=kind, seed=seed)
    assert fitted.feeding is not None
    seconds = median_seconds([records[row] for row in rows], backend=backend)
    fitted.feeding = replace(fitted.feeding, video_seconds=seconds)  # the window of a timeline
    laps.end("model")

    figure, value = ("mAP" if multi else "top1"), figures["plain"]
    shown = videos.subset(measured)
    counted = Counter(label for each in shown.labels for label in each)
    seen_paths = [paths[row] for row in measured]
    for text in result_words(value, half, counted, hits, logits["plain"][kept], shown, told, seen_paths, multi=multi):
        print(text)
    told_figure = (
        f"{figure} {value:.2f}"
        + ("" if spread is None else f" ± {spread:.2f}")
        + f" ({parts if seen_folds == parts else f'{seen_folds} of {parts}'} folds, {len(measured)} videos)"
    )
    controls = {name: figures[name] for name in CONTROLS[1:]}
    parts_of_line = [told_figure, *(f"{CONTROL_WORDS[name]} {each:.2f}" for name, each in controls.items())]
    line = " | ".join(
        [
            f"fit ok: {parts_of_line[0]}",
            *parts_of_line[1:],
            f"{weights.name}, {chosen}",
            f"{laps.total:.0f} s",
            str(folder),
        ]
    )
    told_rows = [
        {"video": str(path), "fold": fold, "group": str(name), "predicted": told[k]}
        for path, fold, name, k in zip(
            seen_paths, shown.folds, shown.groups, logits["plain"][kept].argmax(dim=1).tolist(), strict=True
        )
    ]
    content = {
        "line": line,
        "figure": figure,
        **figures,
        "standard_error": spread,
        "half": half,
        "failed": len(failed),
        "features": chosen,
        "penalty": None if choice is None else choice.penalty,
        "seconds": laps.seconds,
        "videos": told_rows,
    }
    detail = write_fit(
        folder,
        content,
        records=records,
        rows=[rows[row] for row in measured],
        labels=shown.labels,
        groups=shown.groups,
        logits=logits["plain"][kept],
        classes=told,
        kind=kind,
    )
    about = About(data=f"{len(rows)} videos of {records.source.name}", weights=f"{weights.name}, from {weights.source}")
    fitted.about = about.measured(detail.as_dict(told), protocol=f"{told_figure}, of its own videos that were left out")
    fitted.save_pretrained(folder / "model")
    print(f"report: {folder / REPORT}")
    print(f"{laps.words()}\n{line}", flush=True)
    return Fitted(
        model=VideoClassifier.of(fitted), figure=figure, value=value, spread=spread, controls=controls, line=line
    )


def encoder_model(
    weights: EncoderWeights, classes: Sequence[str], *, summary: Summary, frames: int, kind: ScoreKind
) -> Classifier:
    """The encoder behind its normalisation, with a last layer of zeros; it sees whole pictures of the whole video."""
    options = {**weights.options, "summary": summary}
    plan = Architecture(network=weights.network, options=options, frames=frames, size=weights.size)
    network = plan.build(classes=len(classes))
    assert isinstance(network, SummaryNetwork)
    network.body.load_state_dict(dict(weights.state))
    return around(network, weights, classes, plan=plan, kind=kind)


def linear_model(
    weights: EncoderWeights,
    classes: Sequence[str],
    features: Mapping[str, Float[Tensor, "n _"]],
    videos: Videos,
    rows: Sequence[int],
    *,
    frames: int,
    kind: ScoreKind,
    seed: int,
) -> tuple[Choice, Classifier]:
    """The best linear probe of these rows, chosen on inner folds of them, behind the encoder."""
    kept = torch.tensor(list(rows))
    own = {name: x[kept] for name, x in features.items()}
    inner = videos.inner(list(rows), folds=INNER, seed=seed)
    choice, layer = fit_probe(own, videos.targets[kept], inner, kind=kind, among=SUMMARIES)
    summary = SUMMARIES[[str(name) for name in SUMMARIES].index(choice.features)]
    model = encoder_model(weights, classes, summary=summary, frames=frames, kind=kind)
    set_last_layer(model, layer)
    return choice, model


def set_last_layer(model: Classifier, layer: Linear) -> None:
    """Put a probe's weights into the last layer of an encoder's model."""
    network = model.network
    assert isinstance(network, SummaryNetwork)
    with torch.no_grad():
        network.head.weight.copy_(layer.weight.T)
        network.head.bias.copy_(layer.bias)


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


def count_folds(
    wanted: int, counted: Mapping[int, int], classes: Sequence[str], groups: Sequence[Hashable], *, source: str | Path
) -> int:
    """As many folds as there can be; DataError for a set in which nothing can be left out to measure with."""
    if len(classes) < 2:
        raise DataError(f"{source}: has one class, {classes[0]!r}; a classifier tells two apart at least")
    if empty := [name for k, name in enumerate(classes) if not counted.get(k)]:
        raise DataError(
            f"{source}: no readable video shows {', '.join(empty[:5])}; take these classes out, or add videos"
        )
    rarest = min(counted, key=lambda k: counted[k])
    least = min(wanted, len(set(groups)), counted[rarest])
    if least < 2:
        raise DataError(
            f"{source}: nothing can be left out to measure with: {len(set(groups))} groups, and {classes[rarest]} has "
            f"{counted[rarest]} videos; two of each are the least"
        )
    if least < wanted:
        print(f"note: {least} folds instead of {wanted}: there are not more groups, or videos of {classes[rarest]}")
    return least
