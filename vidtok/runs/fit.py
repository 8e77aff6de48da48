"""A classifier from a folder of one's own clips: an encoder, what it says of each clip, and a probe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vidtok.choices import Backend, Device, FineTuning, ProbeKind
from vidtok.data.survey import median_seconds, survey
from vidtok.errors import ConfigError
from vidtok.infer.predict import VideoClassifier, model_views
from vidtok.infer.summarise import CONTROLS
from vidtok.models.about import About
from vidtok.models.classifier import Classifier
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.summary_network import SummaryNetwork
from vidtok.runs.encoder_choice import choose_encoder
from vidtok.runs.fit_measure import Measured, measure_folds, measure_half
from vidtok.runs.fit_model import encoder_model, linear_model
from vidtok.runs.fit_results import write_fit
from vidtok.runs.fit_set import EncodedVideos, VideoList, check_set, divide_set, encode_set, read_set
from vidtok.runs.fit_tokens import probe_note, token_fit
from vidtok.runs.fit_tune import Tuning
from vidtok.runs.fit_words import result_words, short_note
from vidtok.runs.laps import Laps
from vidtok.runs.run_report import REPORT
from vidtok.train.nested import Videos
from vidtok.train.parallel import start_parallel

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
    out: str | Path | None = None,
    encoder: str | None = None,
    group: str | None = None,
    classes: str | Path | None = None,
    root: str | Path | None = None,
    format: str = "auto",
    folds: int | None = None,
    frames: int | None = None,
    probe: ProbeKind = "linear",
    finetune: FineTuning | None = None,
    workers: int = 0,
    backend: Backend = "pyav",
    device: Device = "auto",
    seed: int = 0,
    allow_missing: bool = False,
    licence: str | None = None,
) -> Fitted:
    """Fit a classifier on a folder with a sub-folder per class, or a list, and say how good it is.

    `group`: a column of the list, or a pattern with one pair of brackets for the paths; videos of one group (a person,
    a place, a long video) are never on both sides of a division, nor are copies. `folds`: parts, each left out once; by
    default five, or one of up to ten groups at a time. `encoder`: see `choose_encoder`.
    `frames`: of each video; by default 16, or as many as the encoder was built for. `probe`: linear, on the summary and
    with the penalty that do best on inner folds, or one with attention on the tokens, whose settings are fixed.
    `finetune`: train the encoder's last blocks from the linear probe's start, and measure that with every fold left
    out, or once, with the first one alone; the probe is then linear. `licence`: of the model that is made, for its
    card, as the hub writes it (`apache-2.0`); that of the encoder's weights stands there in any case.
    Each video is encoded once; what was encoded stands in `out`/features and is used again. The model, in
    `out`/model, needs nothing else. `out`: by default runs/fit_NAME, by the folder's or the list's name. Raises
    VidtokError for what cannot be used.
    """
    laps, place = Laps(), Path(source).resolve()
    folder = Path("runs") / f"fit_{place.name if place.is_dir() else place.stem}" if out is None else Path(out)
    if folds is not None and folds < 2:
        raise ConfigError(f"--folds counts from 2, got {folds}")
    if finetune is not None and probe != "linear":
        raise ConfigError(f"--finetune starts from the linear probe: leave --probe {probe} out")
    if licence is not None and not licence.strip():
        raise ConfigError("--licence is the model's own, such as apache-2.0; leave it out where there is none yet")
    listed = read_set(source, root=root, classes=classes, format=format)
    check_set(listed, group=group)
    records, told, kind = listed.records, listed.classes, listed.kind
    weights = choose_encoder(encoder)
    frames = weights.clip_frames(frames)
    print(f"encoder: {weights.name}, from {weights.source}", flush=True)
    if weights.note is not None:
        print(f"note: {weights.note}", flush=True)

    with start_parallel(device) as parallel:
        model = encoder_model(weights, told, summary="mean", frames=frames, kind=kind).to(parallel.device)
        if weights.frames is None and (
            note := short_note(survey(records, model_views(model), backend=backend), frames=frames)
        ):
            print(note, flush=True)
        encoded = encode_set(
            listed,
            model,
            folder=folder / "features",
            probe=probe,
            workers=workers,
            backend=backend,
            allow_missing=allow_missing,
        )
    laps.end("encoding")
    videos = divide_set(listed, encoded, group=group, folds=folds, seed=seed)
    if note := probe_note(probe, Counter(label for each in videos.labels for label in each), told):
        print(note, flush=True)

    attentive = None
    if probe != "linear":
        network = model.network
        assert isinstance(network, SummaryNetwork)
        attentive = token_fit(probe, encoded.tokens, network, classes=len(told))
    found = measure_folds(encoded, attentive, videos, laps, kind=kind, seed=seed)

    def linear(own: Sequence[int]) -> tuple[str, float, Classifier]:
        choice, made = linear_model(
            weights, told, encoded.features["plain"], videos, own, frames=frames, kind=kind, seed=seed
        )
        return choice.features, choice.penalty, made

    penalty = None
    if attentive is not None:
        chosen, fitted = str(probe), attentive.model(weights, told, videos, frames=frames, kind=kind, seed=seed)
    else:
        chosen, penalty, fitted = linear(range(len(encoded.rows)))
    if finetune is None:
        found = measure_half(found, encoded, attentive, videos, laps, kind=kind, seed=seed)
    else:
        tuning = Tuning(
            records=records.subset(encoded.rows),
            classes=told,
            kind=kind,
            folder=folder / "tune",
            backend=backend,
            workers=workers,
            seed=seed,
        )
        with start_parallel(device) as parallel:
            fitted, own_logits, left = tuning.run(
                videos, lambda own: linear(own)[2], found.logits["plain"], parallel, how=finetune
            )
        found = Measured(logits={**found.logits, **own_logits}, measured=left)
        chosen = f"{chosen}, fine-tuned"
        laps.end("fine-tuning")
    assert fitted.feeding is not None
    seconds = median_seconds([records[row] for row in encoded.rows], backend=backend)
    fitted.feeding = replace(fitted.feeding, video_seconds=seconds)  # the window of a timeline
    laps.end("model")

    return _tell(
        folder, listed, encoded, videos, found, fitted, weights, chosen, penalty, laps, seed=seed, licence=licence
    )


def _tell(
    folder: Path,
    listed: VideoList,
    encoded: EncodedVideos,
    videos: Videos,
    found: Measured,
    fitted: Classifier,
    weights: EncoderWeights,
    chosen: str,
    penalty: float | None,
    laps: Laps,
    *,
    seed: int,
    licence: str | None,
) -> Fitted:
    """Say how good it is, and write the model, the figures and the report."""
    records, told, kind = listed.records, listed.classes, listed.kind
    figure, figures = ("mAP" if kind == "sigmoid" else "top1"), found.figures(videos, kind=kind)
    value, spread = figures["plain"], found.spread(videos, kind=kind, seed=seed)
    shown, logits = videos.subset(found.measured), found.logits["plain"][torch.tensor(list(found.measured))]
    rows = [encoded.rows[row] for row in found.measured]
    paths = [records[row].path for row in rows]
    counted = Counter(label for each in shown.labels for label in each)
    for text in result_words(
        value, found.half, counted, found.hits(videos), logits, shown, told, paths, multi=kind == "sigmoid"
    ):
        print(text)
    parts, seen = len(set(videos.folds)), len(set(shown.folds))
    told_figure = (
        f"{figure} {value:.2f}"
        + ("" if spread is None else f" ± {spread:.2f}")
        + f" ({parts if seen == parts else f'{seen} of {parts}'} folds, {len(rows)} videos)"
    )
    controls = {name: figures[name] for name in CONTROLS[1:]}
    line = " | ".join(
        [
            f"fit ok: {told_figure}",
            *(f"{CONTROL_WORDS[name]} {each:.2f}" for name, each in controls.items()),
            f"{weights.name}, {chosen}",
            f"{laps.total:.0f} s",
            str(folder),
        ]
    )
    content = {
        "line": line,
        "figure": figure,
        **figures,
        "standard_error": spread,
        "half": found.half,
        "failed": encoded.failed,
        "features": chosen,
        "penalty": penalty,
        "seconds": laps.seconds,
        "videos": [
            {"video": str(path), "fold": fold, "group": str(name), "predicted": told[k]}
            for path, fold, name, k in zip(paths, shown.folds, shown.groups, logits.argmax(dim=1).tolist(), strict=True)
        ],
    }
    detail = write_fit(
        folder,
        content,
        records=records,
        rows=rows,
        labels=shown.labels,
        groups=shown.groups,
        logits=logits,
        classes=told,
        kind=kind,
    )
    about = About(
        data=f"{len(encoded.rows)} videos of {records.source.name}",
        weights=f"{weights.name}, from {weights.source}",
        licence=licence,
    )
    fitted.about = about.measured(detail.as_dict(told), protocol=f"{told_figure}, of its own videos that were left out")
    fitted.save_pretrained(folder / "model")
    print(f"report: {folder / REPORT}")
    print(f"{laps.words()}\n{line}", flush=True)
    return Fitted(
        model=VideoClassifier.of(fitted), figure=figure, value=value, spread=spread, controls=controls, line=line
    )
