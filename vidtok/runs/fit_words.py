"""What `fit` says in words: of the set before it begins, and of the figure when it has one."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from vidtok.data.groups import Joined
from vidtok.data.survey import Seen
from vidtok.train.nested import Videos

UNEQUAL = 1.5
"""From so many times as many videos on, the largest class has more of a say in top1 than the smallest."""


def set_words(
    counted: Mapping[int, int],
    classes: Sequence[str],
    own: Sequence[Hashable],
    joined: Joined,
    labels: Sequence[tuple[int, ...]],
    paths: Sequence[Path],
) -> list[str]:
    """The set in words: how many videos each class has, what stays together, and what is odd about it."""
    lines = ["classes: " + ", ".join(f"{name} {counted.get(k, 0)}" for k, name in enumerate(classes))]
    apart = [(one, other) for one, other in joined.copies if own[one] != own[other]]
    if apart:
        one, other = apart[0]
        lines.append(
            f"note: {len(apart)} pairs of clips look like copies or mirrored copies, such as {paths[one]} and "
            f"{paths[other]}; they stay on one side of every division"
        )
    for one, other in joined.contradictions[:3]:
        words = [" ".join(classes[k] for k in labels[row]) or "no label" for row in (one, other)]
        lines.append(
            f"note: {paths[one]} ({words[0]}) and {paths[other]} ({words[1]}) look the same, but for their labels"
        )
    groups, given = len(set(joined.groups)), len(set(own))
    if groups < len(paths):
        less = f" ({given} before copies joined them)" if groups < given < len(paths) else ""
        lines.append(f"{groups} groups of videos stay together{less}")
    for k, name in enumerate(classes):
        held = {group for group, each in zip(joined.groups, labels, strict=True) if k in each}
        if len(held) == 1 and counted.get(k, 0) > 1:
            lines.append(
                f"note: all {counted[k]} videos of {name} belong to one group: while they are left out nothing shows "
                f"{name}, so that they count as wrong; add some of another group"
            )
    return lines


def short_note(seen: Sequence[Seen], *, frames: int) -> str | None:
    """What is to be said of videos that have fewer frames than a clip takes; None where none has."""
    short = [each for each in seen if each.is_short]
    if not short:
        return None
    least = min(short, key=lambda each: each.frames)
    return (
        f"note: {len(short)} of {len(seen)} videos looked at have fewer than {frames} frames ({least.name} has "
        f"{least.frames}): some of their frames count more than once, and how such a video changes is seen worse. "
        f"Where most are so short, take fewer: --frames {max(2, least.frames)}"
    )


def result_words(
    value: float,
    half: float | None,
    counted: Mapping[int, int],
    hits: Sequence[bool],
    logits: Float[Tensor, "n k"],
    videos: Videos,
    classes: Sequence[str],
    paths: Sequence[Path],
    *,
    multi: bool,
) -> list[str]:
    """What helps to judge the figure: the largest class, the learning curve, and the mistakes."""
    lines = []
    if half is not None:
        more = min(value - half, 1 - value)  # there is nothing above 1
        words = f"twice as many would give about {more:+.2f}, if it goes on so"
        if value == 1.0:
            words = "more of the same kind cannot raise the figure: try harder ones"
        elif more < 0.005:
            words = "more of the same kind would hardly help; other ones may, or another encoder"
        lines.append(f"with half of the clips {half:.2f}; {words}")
    if multi:
        shares = [count / len(hits) for count in counted.values()]
        return [*lines, f"guessing alone would have about {sum(shares) / len(shares):.2f}"]
    told, true = logits.argmax(dim=1).tolist(), [own[0] for own in videos.labels]
    lines.append(
        f"the largest class alone is {max(counted.values()) / len(hits):.2f}{_each_class(counted, hits, true)}"
    )
    wrong = [row for row, hit in enumerate(hits) if not hit]
    if wrong:
        pairs = Counter((classes[true[row]], classes[told[row]]) for row in wrong).most_common(3)
        lines.append(f"{len(wrong)} wrong: " + ", ".join(f"{one} taken for {other} ({n})" for (one, other), n in pairs))
    sure = sorted(wrong, key=lambda row: -float(logits[row].softmax(dim=0).max()))[:3]
    return [*lines, *(f"  {paths[row]}: {classes[true[row]]}, taken for {classes[told[row]]}" for row in sure)]


def _each_class(counted: Mapping[int, int], hits: Sequence[bool], true: Sequence[int]) -> str:
    """The figure with every class counted the same, where some are much rarer than others."""
    if max(counted.values()) < UNEQUAL * min(counted.values()):
        return ""
    shares = [[hit for hit, own in zip(hits, true, strict=True) if own == k] for k in sorted(counted)]
    mean = sum(sum(own) / len(own) for own in shares) / len(shares)
    return f"; every class counted the same, the figure is {mean:.2f}"
