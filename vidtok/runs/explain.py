"""Say which frames and crops training and testing see, in frames and in seconds, and show them on a contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from vidtok.build import class_file
from vidtok.build_data import build_dataset, eval_views, train_views
from vidtok.build_words import told_in_config_words
from vidtok.choices import Part
from vidtok.config import Config
from vidtok.config_io import find_config
from vidtok.data.dataset import clock_seconds, open_record, part, plan, shown_labels
from vidtok.data.geometry import crop_names
from vidtok.data.lists import open_list, read_classes
from vidtok.data.views import ResizedCrop
from vidtok.runs.explain_words import clip_words, explain_config, place_words, reach_words
from vidtok.runs.folders import make_folder
from vidtok.types import Box, Record, View
from vidtok.video.reader import VideoReader
from vidtok.video.rgb import scaled_size
from vidtok.viz.contact_sheet import Strip, contact_sheet

EPOCHS = 3
COLUMNS = 8
CELL = 120


@dataclass(frozen=True, kw_only=True)
class Source:
    """The record that a video is, in a list or for itself: its row is part of what training draws from."""

    records: Sequence[Record]
    row: int
    words: str
    listed: bool

    @property
    def record(self) -> Record:
        return self.records[self.row]


@told_in_config_words()
def run_explain(
    cfg: str | Path,
    video: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    training: bool = False,
    out: str | Path = "explain.png",
) -> None:
    """Say which frames and crops training and testing see; with a video also draw them as a contact sheet.

    `training`: the sheet shows the first epochs of training, not the testing views.
    """
    config = find_config(cfg, overrides)
    if video is not None:
        make_folder(Path(out).parent)
    print("\n".join(explain_config(config, name=str(cfg))))
    if video is not None:
        explain_video(config, Path(video), out=Path(out), training=training)
        print(f"{out}: {'training' if training else 'testing'} clips of {video}")


def explain_video(config: Config, video: Path, *, out: Path, training: bool) -> None:
    """Say it for one video, and write the sheet."""
    tested, trained = find_record(config, video, split="val"), find_record(config, video, split="train")
    known = tested if tested.listed else trained
    data = config.data
    with open_record(known.record, backend=data.backend, timeout_seconds=data.timeout_seconds) as reader:
        pts_seconds = clock_seconds(reader)
        height, width = reader.size
        print(f"\nvideo     {video}: {place_words(pts_seconds, reader.fps)}, {width} x {height} pixels")
        testing_strips = explain_testing(config, tested, reader, pts_seconds, draw=not training)
        training_strips = explain_training(config, trained, reader, pts_seconds, draw=training)
    frames = len(pts_seconds)
    heading = f"{video.name}   {frames} frames, {'training' if training else 'testing'}"
    sheet = contact_sheet(
        training_strips if training else testing_strips, heading=heading, frames=frames, cell_height=CELL
    )
    sheet.save(out)


def find_record(config: Config, video: Path, *, split: Part) -> Source:
    """The record of this video in the list, where there is such a list; else one of its own, as row 0."""
    data = config.data
    path = data.train if split == "train" else data.val
    if Path(path).exists():
        classes = (
            read_classes(class_file(data.classes))
            if data.classes is not None and class_file(data.classes).exists()
            else None
        )
        records, _ = open_list(path, root=data.root, classes=classes, format=data.format, part=split)
        wanted = video.resolve()
        for row, record in enumerate(records):
            if record.path.name == video.name and record.path.resolve() == wanted:
                return Source(records=records, row=row, words=f"record {row} of {path}", listed=True)
    own = Record(path=video, labels=(), video_id=str(video))
    why = f"it is not in {path}" if Path(path).exists() else f"there is no list {path}"
    return Source(records=[own], row=0, words=f"as if it were record 0: {why}", listed=False)


def explain_testing(
    config: Config, source: Source, reader: VideoReader, pts_seconds: Float64[Tensor, "n"], *, draw: bool
) -> list[Strip]:
    """The testing views in words, and a strip for each clip."""
    views = eval_views(config)
    planned = plan(views, source.record, pts_seconds, np.random.default_rng([config.run.seed, source.row, 0]))
    height, width = scaled_size(reader.size, views.side(reader))
    names = crop_names(views.crops, height=height, width=width, size=views.size) if views.fit == "crop" else ["whole"]
    boxes = list(zip(names, views.boxes((height, width)), strict=True))
    print(f"testing   {source.words}")
    first, stop = part(source.record, pts_seconds)
    if views.clip.is_longer_than(pts_seconds[first:stop]):
        print(f"          a clip is longer than this video ({stop - first} frames): all clips are the same")
    strips = []
    for view in planned[:: views.crops]:
        words = clip_words(view.indices, pts_seconds)
        print(f"          clip {view.clip + 1} of {views.clips}: {words}")
        if draw:
            title = f"clip {view.clip + 1} of {views.clips}: {words}"
            strips.append(make_strip(reader, view, pts_seconds, title=title, boxes=boxes, picture=(height, width)))
    for name, box in boxes:
        print(f"          crop {name}: {box_words(box)}, of the picture scaled to {width} x {height}")
    return strips


def explain_training(
    config: Config, source: Source, reader: VideoReader, pts_seconds: Float64[Tensor, "n"], *, draw: bool
) -> list[Strip]:
    """What the first epochs of training see, in words, and a strip for each clip."""
    views = train_views(config.data)
    dataset = build_dataset(config, source.records, views)
    height, width = reader.size
    print(f"training  {source.words}, seed {config.run.seed}")
    if isinstance(views.crop, ResizedCrop):
        reached = reach_words(views.crop.reach(height, width, size=views.size), config.data)
        if reached is not None:
            print(f"          of this picture {reached}")
    strips = []
    for epoch in range(EPOCHS):
        rng = np.random.default_rng([config.run.seed, source.row, epoch])
        planned = plan(views, source.record, pts_seconds, rng)
        boxes = views.boxes((height, width), rng)
        for number, (view, box) in enumerate(zip(planned, boxes, strict=True)):
            name = f"epoch {epoch}" + (f", clip {number + 1} of {views.repeats}" if views.repeats > 1 else "")
            words = f"{clip_words(view.indices, pts_seconds)}; {box_words(box)}, of {width} x {height}"
            if source.record.intervals:
                words += f"; labels {', '.join(map(str, shown_labels(source.record, pts_seconds, view))) or 'none'}"
            print(f"          {name}: {words}")
            if draw:
                seen = dataset.sample(record=source.row, epoch=epoch, view=number).views[0]
                mirrored = "mirrored" if box.flip else ""
                strip = make_strip(
                    reader,
                    view,
                    pts_seconds,
                    title=f"{name}: {words}",
                    boxes=[(mirrored, box)],
                    picture=(height, width),
                    seen=seen,
                )
                strips.append(strip)
    return strips


def box_words(box: Box) -> str:
    right, bottom = box.left + box.width - 1, box.top + box.height - 1
    return f"columns {box.left} to {right}, rows {box.top} to {bottom}" + (", mirrored" if box.flip else "")


def make_strip(
    reader: VideoReader,
    view: View,
    pts_seconds: Float64[Tensor, "n"],
    *,
    title: str,
    boxes: Sequence[tuple[str, Box]],
    picture: tuple[int, int],
    seen: Tensor | None = None,
) -> Strip:
    """Some of a clip's frames, small; the boxes are in pixels of a picture of so many rows and columns."""
    chosen = shown_places(len(view.indices))
    indices = view.indices[chosen]
    small = reader.frames_at(indices.tolist(), short_side=CELL).pixels
    down, across = small.shape[-2] / picture[0], small.shape[-1] / picture[1]
    scaled = [
        (
            name,
            Box(
                top=round(box.top * down),
                left=round(box.left * across),
                height=max(1, round(box.height * down)),
                width=max(1, round(box.width * across)),
            ),
        )
        for name, box in boxes
    ]
    some = f", {len(chosen)} of {len(view.indices)} shown" if len(chosen) < len(view.indices) else ""
    return Strip(
        title=title + some,
        pictures=small,
        captions=[f"{index}   {float(pts_seconds[index]):.2f} s" for index in indices.tolist()],
        places=view.indices,
        boxes=scaled,
        seen=None if seen is None else seen[chosen],
    )


def shown_places(frames: int) -> Int64[Tensor, "m"]:
    """At most so many frames of a clip as a row of the sheet has room for, with the first and the last."""
    return torch.linspace(0, frames - 1, min(frames, COLUMNS), dtype=torch.float64).round().long()
