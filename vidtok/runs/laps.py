"""Where the time of a long command went, phase by phase."""

from time import monotonic


class Laps:
    """Counts seconds from when it is made; `end` names the phase that ends there."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._last = monotonic()

    def end(self, phase: str) -> None:
        now = monotonic()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds until the last phase ended."""
        return sum(self.seconds.values())

    def words(self) -> str:
        return "seconds: " + ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in self.seconds.items())
