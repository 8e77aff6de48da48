"""What is wrong with a run can often be told at its start; each of these gives a line that says where to look."""

import math
from collections.abc import Collection, Sequence

HIGH = 3.0
"""A loss of so many times that of chance is higher than any network reaches that learns."""


def rate_warning(optimizer: str, lr: float) -> str | None:
    """A line about a highest rate far from what an optimizer of this family is used with, or None.

    Adam and its kin move every weight by about the rate itself: published recipes have 5e-6 to 6e-3. Stochastic
    gradient descent moves by rate times gradient: they have 5e-3 to 1.6. A factor of four more, and one of 50 less, is
    still let pass without a word. Lion, Adafactor and others that are neither are not judged.
    """
    from timm.optim._optim_factory import get_optimizer_info

    info = get_optimizer_info(optimizer)
    if "lion" in optimizer or not (info.has_betas or info.has_momentum):
        return None
    low, high, usual = (1e-7, 2.5e-2, "5e-6 to 6e-3") if info.has_betas else (1e-4, 6.4, "5e-3 to 1.6")
    if low <= lr <= high:
        return None
    return (
        f"the highest learning rate is {lr:.3g}, far {'above' if lr > high else 'below'} what {optimizer} is used with "
        f"({usual}): check `lr`, and with it `lr_batch` and `optimizer`"
    )


def warmup_warning(warmup_steps: int, *, steps: int, lr: float) -> str | None:
    """A line about a warm-up that lasts the whole run, so that the highest rate is never reached, or None."""
    if warmup_steps < steps:
        return None
    reached = lr * (1 + (steps - 1) * (warmup_steps - 1) / warmup_steps) / warmup_steps
    return (
        f"the warm-up (`warmup_steps`={warmup_steps}) is not over when the run ends, behind step {steps}: the rate "
        f"rises to {reached:.3g}, not to {lr:.3g}, and never falls; shorten the warm-up, or lengthen the run"
    )


def empty_classes_warning(seen: Collection[int], classes: Sequence[str], *, name: str) -> str | None:
    """A line that names the first of the classes that no video of a list has, or None. `seen` are the labels there."""
    empty = [title for k, title in enumerate(classes) if k not in seen]
    if not empty:
        return None
    more = " …" if len(empty) > 5 else ""
    return (
        f"{len(empty)} of {len(classes)} classes have no video in {name} and cannot be learned: "
        f"{', '.join(empty[:5])}{more}; look at the labels there and at `classes`"
    )


def high_loss_warning(mean_loss: float, *, chance: float, step: int) -> str | None:
    """A line about a loss far above that of chance, or None."""
    if mean_loss <= HIGH * chance:
        return None
    return (
        f"the loss is {mean_loss:.3g} at step {step}, {mean_loss / chance:.0f} times that of a network which gives "
        f"every class the same score ({chance:.3g}): lower `lr`, or lengthen `warmup_steps`"
    )


def majority_warning(top1: float, *, largest: float, n: int) -> str | None:
    """A line about a top-1 that is no better than naming the largest class every time, within two standard errors."""
    if not 0 < largest < 1 or top1 > largest + 2 * math.sqrt(largest * (1 - largest) / n):
        return None
    return (
        f"top1 {top1:.3f} of {n} videos is no better than naming the largest class each time ({largest:.3f}), give or "
        f"take chance: the network has learned nothing that holds for them. Look at the curves (has the training loss "
        f"fallen?), at the labels, and with explain at what training and testing see"
    )


GAP = 0.15
"""A figure that is lower by this, and by three videos or more, is lower for a reason."""


def geometry_warning(name: str, *, tested: float, trained: float, n: int) -> str | None:
    """A line where training videos do worse by the testing views than by the crops of training, or None."""
    if trained - tested < GAP or (trained - tested) * n < 3:
        return None
    return (
        f"{n} training videos have {name} {tested:.3f} by the testing views, and {trained:.3f} by the crops of "
        f"training: testing sees other pictures than training did, and its figures are too low for that. Compare "
        f"what both see (explain shows it), and bring `fit`, `short_side` and `size` "
        f"together with `scale` and `ratio`; `fit`=squeeze or pad shows whole pictures in both"
    )


WAITING = 0.3
"""A run that waits for data in more than this share of its time is held up by it."""


def input_remedy(*, workers: int, cores: int, can_prepare: bool, can_crop_in_yuv: bool, can_repeat: bool) -> str:
    """What a run can do that waits for its data: what its settings leave it to do, and more cores.

    `cores` are those that a training process has for itself.
    """
    ways = [f"raise `workers` (now {workers}, of {cores} cores)"] if workers < cores else []
    ways += ["prepare the videos with tools/prepare_videos.py"] if can_prepare else []
    ways += ["set `crop_in`=yuv"] if can_crop_in_yuv else []
    ways += ["set `repeats`=2"] if can_repeat else []
    ways += [] if workers < cores else [f"take a machine with more cores than {cores}"]
    return ", or ".join(ways)


class InputWatch:
    """Gives a line, once, when a run waits for its data in more than WAITING of the time of ten steps or more.

    What comes first is left out: there the workers start, and the first videos are read from the disk.
    """

    def __init__(self, *, remedy: str):
        self._remedy = remedy
        self._steps, self._seconds, self._waited = 0, 0.0, 0.0
        self._started = self._told = False

    def __call__(self, *, steps: int, seconds: float, waited: float) -> str | None:
        if not self._started or self._told:
            self._started = True
            return None
        self._steps, self._seconds, self._waited = self._steps + steps, self._seconds + seconds, self._waited + waited
        if self._steps < 10:
            return None
        share = self._waited / self._seconds
        self._steps, self._seconds, self._waited = 0, 0.0, 0.0
        self._told = share > WAITING
        return f"input bound: {share:.0%} of the time waits for data; {self._remedy}" if self._told else None
