"""Arrays on the disk, entry by entry, for what is as long as a video."""

import tempfile
import weakref
from collections.abc import Sequence

import numpy as np


class Tape:
    """Arrays of the same shapes again and again, in a file without a name: what is kept does not grow in memory."""

    def __init__(self, arrays: Sequence[np.ndarray]):
        self._forms = [(array.shape, array.dtype, array.nbytes) for array in arrays]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the tape)
        weakref.finalize(self, self._file.close)
        self.length = 0

    def append(self, arrays: Sequence[np.ndarray]) -> None:
        for array, (shape, dtype, _) in zip(arrays, self._forms, strict=True):
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(f"a tape of {shape} {dtype} got {array.shape} {array.dtype}")
            self._file.write(np.ascontiguousarray(array).tobytes())
        self.length += 1

    def read(self, entry: int, number: int) -> np.ndarray:
        """Array `number` of an entry."""
        sizes = [size for *_, size in self._forms]
        shape, dtype, size = self._forms[number]
        self._file.seek(entry * sum(sizes) + sum(sizes[:number]))
        return np.frombuffer(self._file.read(size), dtype).reshape(shape)
