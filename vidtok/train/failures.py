"""Videos of a training run that cannot be decoded, or only in part: noted, named, and bounded."""

import math
from collections.abc import Mapping

from vidtok.errors import TrainingError
from vidtok.train.log import Log
from vidtok.train.parallel import Parallel
from vidtok.train.state import Progress
from vidtok.types import Damaged, Failure

NAMED = 100
"""So many failed videos are named in a message; with more the rest of a first pass is not waited for."""


def name_damaged(
    damaged: tuple[Damaged, ...], known: set[int], progress: Progress, parallel: Parallel, log: Log
) -> None:
    """Name every video of which damaged frames are used, once; `known` are the rows of those that were named."""
    for video in sorted((d for part in parallel.gather(damaged) for d in part), key=lambda video: video.index):
        if video.index not in known:
            known.add(video.index)
            log.event("damaged_video", step=progress.step, path=str(video.path), frames=video.frames)
            log.say(f"damaged, used as it is ({len(known)} so far): {video.path}: {video.frames} frames of a sample")


def count_failures(
    failures: tuple[Failure, ...], progress: Progress, parallel: Parallel, log: Log, records: int
) -> None:
    """Note every record that failed, once, on all processes."""
    for failure in sorted((f for part in parallel.gather(failures) for f in part), key=lambda failure: failure.index):
        if failure.key not in progress.bad:
            progress.bad[failure.key] = failure.cause
            log.event("bad_video", step=progress.step, path=str(failure.path), cause=failure.cause)
            log.say(f"cannot decode, skipped ({len(progress.bad)} of {records} so far): {failure.cause}")


def check_failures(bad: Mapping[str, str], records: int, *, max_bad_fraction: float, may_wait: bool = False) -> None:
    """Raise TrainingError that names the records that failed, where they are too many.

    A share of the list may fail, one record at least where that share is not 0, and never all. With `may_wait` the
    verdict comes later, unless there are more than NAMED already.
    """
    share = math.floor(max_bad_fraction * records + 1e-9)
    allowed = min(max(share, int(max_bad_fraction > 0)), records - 1)
    if len(bad) <= allowed or (may_wait and len(bad) <= NAMED):
        return
    listed = "".join(f"\n  {cause}" for cause in list(bad.values())[:NAMED])
    more = f"\n  … and {len(bad) - NAMED} more, which the log names" if len(bad) > NAMED else ""
    raise TrainingError(
        f"{len(bad)} of {records} videos cannot be decoded, and {allowed} may fail (`max_bad_fraction`="
        f"{max_bad_fraction:g}). Mend them or take them out of the list, or raise that limit:{listed}{more}"
    )
