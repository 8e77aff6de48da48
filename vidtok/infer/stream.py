"""A video without an end: the scores of its newest window, whenever a time step is complete."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.errors import ModelError
from vidtok.metrics import to_scores
from vidtok.models.classifier import Classifier
from vidtok.models.network import COLOURS
from vidtok.models.steps import check_apart, in_order, join, per_step

TOGETHER = 16
"""Time steps, or windows, that go through the network at once."""


class StreamingClassifier:
    """Frames in, in the order of time; out come the scores of each window that they complete.

        stream = vidtok.StreamingClassifier(vidtok.load("runs/mine"))
        for picture in camera:
            for scores in stream.push(picture[None]):  # uint8 (c y x), as large as the model's clips
                print(stream.model.classes[scores.argmax()])

    A window is a clip of the model, and windows begin a time step apart. What the network makes of a time step before
    time steps meet is computed once and kept (see `vidtok.models.steps`), so a new step costs its own part and the part
    that joins them; the scores are those of the whole network on the same window. Frames are one after the other as
    in the model's clips: its stride or rate is the caller's affair, and `vidtok.video.pace` sees to it.

    `whole_windows`: a network that takes whole clips alone computes each window anew, at the cost of a clip for each
    time step; without, it is refused with a ModelError that says what would be right. `stream.model` is the model in
    its form for inference, on the same device: a copy, which later changes of the weights do not reach.
    """

    def __init__(self, model: Classifier, *, whole_windows: bool = False):
        if model.feeding is None:
            raise ModelError(
                "what makes scores of this model's logits is not known: make it with create_model(…, feeding=…)"
            )
        network = model.network
        self.apart = network.why_whole() is None
        if not self.apart and not whole_windows:
            check_apart(network)
        frames, rows, columns = network.clip
        self.model = model if network.is_inference_form else model.for_inference()
        self.kind: ScoreKind = model.feeding.scores
        self.frames, self.steps = frames, network.grid[0] if self.apart else max(1, min(network.grid[0], frames))
        self.step_frames = network.step_frames if self.apart else max(1, frames // self.steps)
        self._picture = (COLOURS, rows, columns)
        self.reset()

    def reset(self) -> None:
        """Forget what has come: the next frame is the first, as behind a cut or a gap."""
        self._pending: UInt8[Tensor, "f c y x"] = torch.empty(0, *self._picture, dtype=torch.uint8)
        self._past: tuple[Tensor, ...] | None = None
        """What is kept of past time steps; of whole windows their frames."""

    @property
    def missing_frames(self) -> int:
        """How many frames the next scores wait for."""
        past = 0 if self._past is None else self._past[0].shape[1] * (self.step_frames if self.apart else 1)
        first = self.frames - past - len(self._pending)
        return max(first, self.step_frames - len(self._pending))

    def push(self, frames: UInt8[Tensor, "f c y x"], *, latest: bool = False) -> Float[Tensor, "n k"]:
        """The scores of the windows that end with these frames' time steps, oldest first; of none, before enough came.

        `latest`: those of the last window alone, where several time steps are complete. Raises ModelError for frames of
        another size, and for those that are no pixels.
        """
        if frames.dtype != torch.uint8 or frames.ndim != 4 or tuple(frames.shape[1:]) != self._picture:
            wanted = " ".join(map(str, self._picture))
            raise ModelError(
                f"this stream takes frames as uint8, f {wanted} (frames, colours, rows, columns), got {frames.dtype}, "
                f"{' '.join(map(str, frames.shape))}"
            )
        pending = torch.cat([self._pending, frames.cpu()])
        whole = len(pending) // self.step_frames * self.step_frames
        self._pending = pending[whole:].clone()
        if latest:  # what has left the last window again need not be looked at
            begin = max(0, whole - self.frames)
            if begin:
                self._past = None
            pending = pending[begin:]
            whole -= begin
        with torch.inference_mode():
            logits = self._logits(pending[:whole], latest=latest) if whole else []
        if not logits:
            return torch.empty(0, len(self.model.classes))
        return to_scores(torch.cat(logits).float(), kind=self.kind).cpu()

    def _logits(self, frames: UInt8[Tensor, "f c y x"], *, latest: bool) -> list[Float[Tensor, "n k"]]:
        """The logits of the windows that end with these whole time steps, which are kept."""
        device, network = self.model.mean.device, self.model.network
        if self.apart:
            together = TOGETHER * self.step_frames
            parts = [per_step(network, self.model.normalise(part[None].to(device))) for part in frames.split(together)]
        else:
            parts = [(frames[None],)]
        kept = in_order([*([] if self._past is None else [self._past]), *parts])
        window, step = (self.steps, 1) if self.apart else (self.frames, self.step_frames)
        total, new = kept[0].shape[1], len(frames) // self.step_frames
        ends = [total - back * step for back in range(new)][::-1]
        ends = [end for end in (ends[-1:] if latest else ends) if end >= window]
        self._past = tuple(part[:, max(0, total - window + step) :].clone() for part in kept)
        found = []
        for first in range(0, len(ends), TOGETHER):
            own = ends[first : first + TOGETHER]
            windows = tuple(torch.cat([part[:, end - window : end] for end in own]) for part in kept)
            found.append(join(network, windows) if self.apart else self.model(windows[0].to(device)))
        return found
