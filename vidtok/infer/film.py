"""Where a model looks in a clip or a whole video: asked window by window, kept on disk, given frame by frame.

A window of f frames has maps of t time steps. Step i belongs to the frames from i · f / t on (as `AttentionMap` says),
and a frame of the video between two frames of the window shows

    hold     the step of the earlier one
    linear   both neighbours' maps, mixed by its distance from the middles of their steps; held at the window's ends
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from vidtok.choices import Between, ScoreKind
from vidtok.data.dataset import clock_seconds
from vidtok.data.views import TestViews
from vidtok.errors import DecodeError
from vidtok.infer.pictures.scene import Ask, Point, Scene, Shown, ask_kinds
from vidtok.infer.spot import EPSILON, Spot, point_of
from vidtok.infer.tape import Tape
from vidtok.metrics import to_scores
from vidtok.models.classifier import Classifier
from vidtok.nn.looks import at_rest
from vidtok.types import View
from vidtok.video.reader import VideoReader
from vidtok.video.sample import resample
from vidtok.video.windows import plan_windows
from vidtok.viz.overlay import Cell, Strip

GUESSES = 3


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is shown: kinds of pictures by name, and of what; see `vidtok.infer.pictures`."""

    kinds: Sequence[str] = ("attention",)
    ask: Ask = field(default_factory=Ask)
    spot: Spot | None = None
    between: Between = "hold"


@dataclass(frozen=True, kw_only=True)
class Film:
    """What a model says of a clip or a video, ready to be drawn over its frames."""

    panels: tuple[Shown, ...]
    """Those of the first window: titles and words are the same in all."""
    tape: Tape
    """Their maps or regions and numbers over time, window by window."""
    tops: tuple[float, ...]
    """The highest value of each panel."""
    rings: tuple[tuple[int, tuple[float, float] | None], ...]
    """For each window the frame that the point stands in, and where; None without a point."""
    guesses: tuple[tuple[tuple[str, float], ...], ...]
    """The best classes of each window with their scores."""
    indices: Int64[Tensor, "n f"]
    """The source frames that the network saw in each window."""
    seconds: Float64[np.ndarray, "n f"]
    """When they are shown."""
    drawn: Int64[np.ndarray, "m"]
    """The source frames that are drawn, one after the other."""
    windows: Int64[np.ndarray, "m"]
    """The window of each of them."""
    places: Float64[np.ndarray, "m"]
    """Where each stands among its window's frames, 0 to f - 1."""
    fps: float
    between: Between

    def __len__(self) -> int:
        return len(self.drawn)

    @property
    def drawn_panels(self) -> list[int]:
        """The panels that stand beside the picture; the others are strips."""
        return [number for number, panel in enumerate(self.panels) if panel.over_time is None]

    def cells(self, number: int) -> list[Cell]:
        """What is drawn over frame `number`, panel by panel."""
        window, place = int(self.windows[number]), float(self.places[number])
        return [self._cell(window, place, index) for index in self.drawn_panels]

    def _cell(self, window: int, place: float, index: int) -> Cell:
        panel, frames = self.panels[index], self.indices.shape[1]
        ring_frame, ring = self.rings[window]
        heat = regions = None
        slot = 2 * index
        steps = len(next(array for array in (panel.maps, panel.regions) if array is not None))
        step = int(place + EPSILON) * steps // frames
        if panel.maps is not None:
            maps = self.tape.read(window, slot)
            if self.between == "hold":
                heat = maps[step]
            else:
                at = min(max((place + 0.5) * steps / frames - 0.5, 0.0), steps - 1.0)
                low, share = int(at), at - int(at)
                heat = maps[low] * (1 - share) + maps[min(low + 1, steps - 1)] * share
        if panel.regions is not None:
            regions = self.tape.read(window, slot + 1)[step]
        shown = panel.point is not None and ring is not None and ring_frame * steps // frames == step
        return Cell(
            heat=None if heat is None else torch.from_numpy(heat.copy()),
            regions=None if regions is None else torch.tensor(regions, dtype=torch.int64),
            ring=ring if shown else None,
        )

    def strips(self) -> list[Strip]:
        """Numbers over time, of all windows one after the other."""
        return [
            Strip(title=panel.title, values=torch.from_numpy(self.stacked(2 * index).reshape(-1)))
            for index, panel in enumerate(self.panels)
            if panel.over_time is not None
        ]

    def at(self, number: int) -> float:
        """The moment of frame `number` on the strips, 0 to 1."""
        frames = self.indices.shape[1]
        return (float(self.windows[number]) + (float(self.places[number]) + 0.5) / frames) / self.tape.length

    def stacked(self, slot: int) -> np.ndarray:
        """An array of every window, in their order."""
        return np.stack([self.tape.read(window, slot) for window in range(self.tape.length)])


def make_film(
    model: Classifier,
    reader: VideoReader,
    views: TestViews,
    question: Question,
    *,
    kind: ScoreKind,
    whole: bool = False,
    window_seconds: float | None = None,
    said: Callable[[float], None] = lambda share: None,
) -> Film:
    """Ask a model about the centre clip of a video, or window by window about all of it.

    The clip's own frames are drawn, at their own pace; of a whole video every frame. Windows follow each other without
    a gap, the last one ends with the video, and a frame of two windows is shown in the earlier one. With `spot` the
    query is the token there; in windows before that moment it is the one at the same place at their end, in later ones
    at their beginning. Held are the frames of one window; maps lie on the disk. `said` is told how far it is, 0 to 1.
    Raises ModelError for what the network does not have, and DecodeError for a video that cannot be decoded.
    """
    pts, times = reader.pts_seconds, clock_seconds(reader)
    if whole:
        length = window_seconds
        plan = plan_windows(views.clip, times, window_seconds=length)
        # As long as a window is, so that the next one begins where it ends.
        span = float(plan.end_seconds[0] - plan.start_seconds[0])
        plan = plan_windows(views.clip, times, window_seconds=length, step_seconds=span)
        indices, starts = plan.indices, plan.start_seconds
    else:
        (view,) = views.views(pts, np.random.default_rng(0))  # the centre clip draws nothing
        indices, starts = view.indices[None], np.array([float(times[view.indices[0]])])
    seconds = times[indices].numpy()
    asker = _Asker(model, question, kind=kind, whole=whole)
    rings: list[tuple[int, tuple[float, float] | None]] = []
    for window, pixels in _clips(reader, views, indices):
        row = indices[window]
        clip = views.crop(pixels, View(clip=0, crop=0, indices=row))
        point = None
        if question.spot is not None:
            point = point_of(question.spot, reader, views, pixels, seconds[window])
            frame = min(int(point.time * len(row)), len(row) - 1)
            rings.append((frame, (point.y, point.x)))
        else:
            rings.append((0, None))
        asker.ask(clip, point)
        said((window + 1) / len(indices))
    if whole:
        drawn = resample(pts, reader.fps).numpy()
        moments = times.numpy()[drawn]
        windows = np.clip(np.searchsorted(starts, moments + EPSILON, side="right") - 1, 0, len(starts) - 1)
        if len(starts) > 1:  # the last window reaches back into the one before, which comes first
            end = starts[-2] + (
                starts[1] - starts[0] if len(starts) > 2 else seconds[0, -1] - starts[0] + 1 / reader.fps
            )
            windows = np.where((windows == len(starts) - 1) & (moments < end - EPSILON), len(starts) - 2, windows)
        frames = np.arange(indices.shape[1], dtype=np.float64)
        places = np.array([np.interp(m, seconds[w], frames) for m, w in zip(moments, windows, strict=True)])
        fps = reader.fps
    else:
        drawn, windows = indices[0].numpy(), np.zeros(indices.shape[1], np.int64)
        places = np.arange(indices.shape[1], dtype=np.float64)
        fps = (views.clip.target_fps or reader.fps) / views.clip.stride
        if views.clip.sampling == "segments":  # the clip is as long as the video
            fps = reader.fps * indices.shape[1] / len(reader)
    assert asker.tape is not None
    return Film(
        panels=asker.panels,
        tape=asker.tape,
        tops=tuple(asker.tops),
        rings=tuple(rings),
        guesses=tuple(asker.guesses),
        indices=indices,
        seconds=seconds,
        drawn=drawn,
        windows=windows,
        places=places,
        fps=float(fps),
        between=question.between,
    )


class _Asker:
    """Asks a model about one clip after the other, and keeps what it says on a tape."""

    def __init__(self, model: Classifier, question: Question, *, kind: ScoreKind, whole: bool):
        self.model, self.question, self.whole = model, question, whole
        self.kind: ScoreKind = kind
        self.panels: tuple[Shown, ...] = ()
        self.tape: Tape | None = None
        self.tops: list[float] = []
        self.guesses: list[tuple[tuple[str, float], ...]] = []

    def ask(self, clip: UInt8[Tensor, "f c y x"], point: Point | None) -> None:
        found, guesses = look_at(
            self.model,
            clip,
            kinds=self.question.kinds,
            ask=replace(self.question.ask, point=point),
            kind=self.kind,
            best_words="the best class" if self.whole else None,
        )
        arrays = []
        for panel in found:
            first = panel.over_time if panel.over_time is not None else panel.maps
            arrays.append(np.zeros(0, np.float32) if first is None else first.float().numpy())
            arrays.append(np.zeros(0, np.int32) if panel.regions is None else panel.regions.to(torch.int32).numpy())
        if self.tape is None:
            self.panels, self.tape, self.tops = found, Tape(arrays), [0.0] * len(found)
        self.tape.append(arrays)
        highest = [float(array.max()) if array.size else 0.0 for array in arrays[::2]]
        self.tops = [max(pair) for pair in zip(self.tops, highest, strict=True)]
        self.guesses.append(guesses)


def look_at(
    model: Classifier,
    clip: UInt8[Tensor, "f c y x"],
    *,
    kinds: Sequence[str] = ("attention",),
    ask: Ask | None = None,
    kind: ScoreKind = "softmax",
    guesses: int = GUESSES,
    best_words: str | None = None,
) -> tuple[tuple[Shown, ...], tuple[tuple[str, float], ...]]:
    """The panels of one clip, kind by kind, and its best classes with their scores; the model is afterwards as it was.

    `best_words`: what the class is called where none is asked for; None: by its name.
    Raises ModelError for a kind that shows nothing of this network, and for a clip that it was not built for.
    """
    asked = ask or Ask()
    pixels = clip.unsqueeze(0).to(model.mean.device)
    with at_rest(model):
        x = model.normalise(pixels)
        model.network.check_clip(x)
        scores = to_scores(model(pixels)[0].float(), kind=kind).cpu()
        label = int(scores.argmax()) if asked.label is None else asked.label
        name = best_words if asked.label is None and best_words is not None else model.classes[label]
        scene = Scene(network=model.network, clip=x, label=label, label_name=name, ask=asked)
        found = tuple(panel for panels in ask_kinds(scene, kinds).values() for panel in panels)
    best = scores.topk(min(guesses, len(model.classes)))
    named = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return found, tuple((model.classes[k], score) for k, score in named)


def notes_of(panels: Sequence[Shown]) -> list[str]:
    """What panels show, a line for those that say the same."""
    lines: dict[str, list[str]] = {}
    for panel in panels:
        lines.setdefault(panel.words, []).append(panel.title)
    return [
        f"{titles[0] if len(titles) == 1 else f'{titles[0]} … {titles[-1].split()[-1]}'}: {words}"
        for words, titles in lines.items()
    ]


def _clips(
    reader: VideoReader, views: TestViews, indices: Int64[Tensor, "n f"]
) -> Iterator[tuple[int, UInt8[Tensor, "f c y x"]]]:
    """The pictures of each window in their order, by one decode; those of windows that are being filled are held."""
    rows = indices.tolist()
    pictures: dict[int, Tensor] = {}
    window, last = 0, -1
    for index, picture in reader.each_at(
        sorted({index for row in rows for index in row}), short_side=views.side(reader)
    ):
        if index <= last and window:
            raise DecodeError(
                f"{reader.path}: its frames cannot be had in their order; `vidtok prepare` writes it anew"
            )
        last = index
        pictures[index] = picture.clone()  # its memory may be the next one's
        reader.renew_deadline()
        while window < len(rows) and max(rows[window]) <= index:
            yield window, torch.stack([pictures[each] for each in rows[window]])
            window += 1
            oldest = min(rows[window]) if window < len(rows) else index + 1
            pictures = {each: held for each, held in pictures.items() if each >= oldest}


def each_picture(reader: VideoReader, views: TestViews, drawn: Sequence[int]) -> Iterator[UInt8[Tensor, "c y x"]]:
    """The pictures of these frames, as the network sees them, in the order in which they are drawn."""
    order = list(drawn)
    view = View(clip=0, crop=0, indices=torch.tensor(order))
    if any(later < earlier for earlier, later in pairwise(order)):
        yield from views.crop(reader.frames_at(order, short_side=views.side(reader)).pixels, view)
        return
    place, last = 0, -1
    for index, picture in reader.each_at(sorted(set(order)), short_side=views.side(reader)):
        if index <= last:
            raise DecodeError(
                f"{reader.path}: its frames cannot be had in their order; `vidtok prepare` writes it anew"
            )
        last = index
        shown = views.crop(picture[None], view)[0].clone()
        reader.renew_deadline()
        while place < len(order) and order[place] == index:
            yield shown
            place += 1
