"""Which frames of a video are spoiled, by the damage that its decoder reports."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int64

from vidtok.video.table import FrameTable


class Damage:
    """What the frames of one pass of the decoder say of damage.

        decoding    I0 P3 B1 B2 P6 B4 B5 I9 B7 B8 P12      P6 is damaged, and the decoder fills its gaps
        spoiled                 ^  ^  ^     ^  ^           what leans on it, up to the next keyframe

    A decoder marks the frames in which damage begins. Those behind it in the order of decoding, which lean on them,
    come without a mark, until a keyframe that is whole; B7 and B8, which are shown before it, may lean on P6 as well.
    Those behind a damaged frame that nothing leans on count too, although they are whole. Not every decoder marks, and
    damage that happens to be another valid stream is seen by none.
    """

    def __init__(self, table: FrameTable, pts: Sequence[int | None] | Int64[np.ndarray, "m"]):
        self._table = table
        self._pts = pts
        self._begins: list[int] = []
        self._keyframes: list[int] = []

    def __bool__(self) -> bool:
        """Whether any frame has been marked."""
        return bool(self._begins)

    def see(self, index: int, *, is_corrupt: bool, is_keyframe: bool) -> None:
        """Note a decoded frame; `index` is below 0 for one that is not shown."""
        if is_corrupt:
            self._begins.append(index)
        elif is_keyframe:
            self._keyframes.append(index)

    def spoiled(self, indices: Iterable[int]) -> set[int]:
        """Those of these frames that are marked, or come behind a marked one and before the next whole keyframe."""
        if not self._begins:
            return set()
        ticks = self._table.ticks.tolist()
        times = self._pts.tolist() if isinstance(self._pts, np.ndarray) else self._pts
        of_packet = {} if self._table.by_order else {tick: place for place, tick in enumerate(times)}

        def place(index: int) -> int:
            """In the order of decoding, which is that of showing where the packets have no times."""
            if index >= len(ticks):  # a damaged file may give more frames than were counted
                return index
            return of_packet.get(ticks[index], index) if index >= 0 else -1

        begins = [place(index) for index in self._begins]
        keyframes = [(place(index), index) for index in self._keyframes]
        found = set()
        for index in indices:
            own = place(index)
            entry = max((at for at, key in keyframes if at <= own and key <= index), default=-2)
            if any(entry < at <= own for at in begins):
                found.add(index)
        return found
