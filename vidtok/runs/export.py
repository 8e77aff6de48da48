"""A trained model as a file for other runtimes, checked against PyTorch before it gets its name."""

import copy
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidtok.choices import Backend, ExportInput, ExportTarget, Quantisation
from vidtok.data.lists import numbers_to_labels, open_list
from vidtok.data.records import Records
from vidtok.errors import ConfigError, DataError, ModelError
from vidtok.infer.export import (
    ENDINGS,
    TOLERANCE,
    WRITERS,
    Agreement,
    check_installed,
    compare,
    describe_export,
    export_program,
    pixel_clips,
)
from vidtok.infer.export_clips import Change, Clips, as_taken, change, read_clips
from vidtok.infer.export_quantise import quantise_dynamic, quantise_static
from vidtok.infer.exported import load_exported
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.folders import make_folder
from vidtok.runs.progress import ShareProgress
from vidtok.text.console import say

CALIBRATING = 64
"""Videos of a list that calibrate an 8-bit file."""
MEASURING = 400
"""Videos of a list on which an 8-bit file is measured, at most."""
MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file, how far it is from PyTorch in float32, and what 8 bits changed."""

    path: Path
    agreement: Agreement
    change: Change | None


def run_export(
    model: str | Path | Classifier,
    out: str | Path,
    *,
    to: ExportTarget | None = None,
    takes: ExportInput = "pixels",
    quantise: Quantisation | None = None,
    calibrate: str | Path | None = None,
    measure: str | Path | None = None,
    clip: str | Path | None = None,
    root: str | Path | None = None,
    backend: Backend = "pyav",
    allow_plugins: bool = False,
) -> Written:
    """Write a model into `out` for another runtime: `to`, by default what its ending says.

    The file takes clips `b f c y x` of any number, uint8 pixels or (`takes`) normalised floats, gives logits, and says
    its classes and how clips are taken. It is run here on batches of 1, 2 and 5 clips of noise, with `clip`, a video,
    a real one among them, and gets its name only where its logits are PyTorch's to 1e-5 of the largest.
    `quantise`: 8 bits, ONNX alone, `static` by the clips of a list or folder, `calibrate`; the change is said, measured
    on `measure`, by default on the same clips. Raises VidtokError for what cannot be written, and why.
    """
    out = Path(out)
    target = _target(out, to)
    if quantise is not None and target != "onnx":
        raise ConfigError(f"`quantise`: 8-bit files are written as ONNX, not as {target}")
    if quantise == "static" and calibrate is None:
        raise ConfigError("`quantise` static rounds by what real clips are like: name a list or folder, `calibrate`")
    if quantise is None and (calibrate is not None or measure is not None):
        raise ConfigError("`calibrate` and `measure` are for 8-bit files; say which by `quantise`, static or dynamic")
    check_installed(target)
    loaded = model if isinstance(model, Classifier) else load_model(model, allow_plugins=allow_plugins)
    own = _float_copy(loaded)
    told = describe_export(own, target=target, takes=takes)
    lists = [_records(own, each, root=root) for each in (calibrate, measure) if each is not None]
    shown = None if clip is None else read_clips(own, _one_video(Path(clip)), most=1, backend=backend).pixels
    make_folder(out.parent)
    changed = None
    with _aside(out) as made:
        program = export_program(own, takes=takes)
        WRITERS[target](program, made, told=told)
        agreement = compare(own, _runner(made, own, takes=takes), clip=shown)
        say(f"against PyTorch, share of the largest logit: {agreement}")
        if not agreement.worst <= TOLERANCE:
            raise ModelError(
                f"{out}: not written: its logits differ from PyTorch's by {agreement.worst:.1e} of the largest, "
                f"and {TOLERANCE:.0e} is what rounding may do"
            )
        if quantise is not None:
            clips = _told_clips(own, lists[0], most=CALIBRATING, backend=backend) if lists else None
            held = _told_clips(own, lists[-1], most=MEASURING, backend=backend) if len(lists) > 1 else clips
            changed = _quantised(made, own, quantise, takes=takes, clips=clips, held=held)
    size = sum(file.stat().st_size for file in _parts(out)) / MEGABYTE
    say(f"written: {out} ({size:.1f} MB)")
    return Written(path=out, agreement=agreement, change=changed)


def _target(out: Path, to: ExportTarget | None) -> ExportTarget:
    by_ending: dict[str, ExportTarget] = {ending: target for target, ending in ENDINGS.items()}
    if to is None and out.suffix in by_ending:
        return by_ending[out.suffix]
    if to is None or out.suffix != ENDINGS[to]:
        wanted = ", ".join(f"{ending} ({target})" for target, ending in ENDINGS.items()) if to is None else ENDINGS[to]
        raise ConfigError(f"`out` {out}: give the file the ending of its kind: {wanted}")
    return to


def _float_copy(model: Classifier) -> Classifier:
    """The same model on the processor in float32, in evaluation state; the caller's stays as it is."""
    if next(model.network.parameters(), None) is None:
        raise ModelError("this model has no weights of its own: an exported file is not exported once more")
    mean, std = model.normalisation
    made = Classifier(
        copy.deepcopy(model.network).cpu().float(),
        mean=mean,
        std=std,
        classes=model.classes,
        architecture=model.architecture,
        feeding=model.feeding,
        about=model.about,
    )
    return made.eval()


def _records(model: Classifier, source: str | Path, *, root: str | Path | None) -> Records:
    records, _ = open_list(source, root=root, classes=model.classes)
    return numbers_to_labels(records, model.classes)


def _one_video(path: Path) -> Records:
    if not path.exists():
        raise DataError(f"`clip` {path}: no such video")
    return Records([path.name], [()], root=path.parent, source=path)


def _told_clips(model: Classifier, records: Records, *, most: int, backend: Backend) -> Clips:
    with ShareProgress(f"reading clips of {records.source.name}") as said:
        clips = read_clips(model, records, most=most, backend=backend, said=said)
    for failure in clips.failures:
        say(f"failed: {failure.cause}")
    return clips


def _runner(path: Path, model: Classifier, *, takes: ExportInput) -> Callable[[Tensor], Tensor]:
    if path.suffix != ENDINGS["pt2"]:
        return load_exported(path)
    program = torch.export.load(path).module()
    return lambda clips: program(clips if takes == "pixels" else model.normalise(clips))


def _followed(batches: Sequence[np.ndarray], said: Callable[[float], object]) -> Iterator[np.ndarray]:
    for number, batch in enumerate(batches):
        said(number / len(batches))
        yield batch


def _quantised(
    path: Path, model: Classifier, how: Quantisation, *, takes: ExportInput, clips: Clips | None, held: Clips | None
) -> Change:
    """The file in 8 bits in its own place, and what that changed."""
    if len([*path.parent.iterdir()]) > 1:
        raise ModelError("the weights are more than 2 GB, and 8-bit files of such models are not written")
    eight = path.with_name(f"eight_{path.name}")
    if how == "dynamic":
        quantise_dynamic(path, eight)
    else:
        assert clips is not None
        batches = as_taken(model, clips.pixels, normalised=takes == "normalised")
        with ShareProgress("reading ranges") as said:
            quantise_static(path, eight, clips=_followed(batches, said))
    before, after = load_exported(path), load_exported(eight)
    if held is None:
        held = Clips(pixels=pixel_clips(model, 16), labels=None, failures=())
    with ShareProgress("measuring what 8 bits change") as said:
        found = change(before, after, held, said=said)
    say(f"8 bits ({how}): {found}")
    eight.replace(path)
    return found


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """A place for files under their own name, which move beside `out` when all has gone well."""
    folder = out.with_name(f".{out.name}.{os.getpid()}.part")
    folder.mkdir()
    try:
        yield folder / out.name
        for file in folder.iterdir():
            file.replace(out.parent / file.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parts(out: Path) -> Iterator[Path]:
    """The files of which an exported one consists."""
    beside = (out.with_name(f"{out.name}.data"), out.with_suffix(".bin") if out.suffix == ".xml" else out)
    yield from {file for file in (out, *beside) if file.is_file()}
