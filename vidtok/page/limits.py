"""What the server takes on, and how it says no."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vidtok.errors import ConfigError

MEGABYTE = 10**6


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every bound that a visitor can run into; those that are options say so in docs/serve.md."""

    upload_megabytes: float | int = 200.0
    video_seconds: float | int = 120.0
    work_seconds: float | int = 300.0
    """Of one video, from when its turn comes."""
    fit_minutes: float | int = 240.0
    """Of one fit on labelled clips."""
    waiting: int = 8
    """Videos in the queue, the one at work aside."""
    session_minutes: float | int = 30.0
    """Without a visit, after which everything of a session is removed."""
    sessions: int = 64
    uploads: int = 4
    """That come in at the same time."""
    kept: int = 4
    """Videos of one session with their results; an older one makes room for a new one."""
    store_megabytes: float | int = 4000.0
    """Of all uploads that are there."""
    stall_seconds: float | int = 10.0
    """What the next part of a request may take."""
    film_seconds: float | int = 30.0
    """Longer videos have an attention video of the clip in their middle alone."""
    connections: int = 128
    visits: int = 8
    """Requests of one session that are answered at once."""

    def __post_init__(self):
        for name in ("upload_megabytes", "video_seconds", "work_seconds", "fit_minutes", "session_minutes"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"`{name}` is above 0, got {getattr(self, name):g}")
        if self.waiting < 1:
            raise ConfigError(f"`waiting` counts from 1, got {self.waiting}")

    @property
    def upload_bytes(self) -> int:
        return int(self.upload_megabytes * MEGABYTE)

    @property
    def store_bytes(self) -> int:
        return max(int(self.store_megabytes * MEGABYTE), self.upload_bytes)


@dataclass(kw_only=True)
class Refusal(Exception):
    """What is not done, as HTTP says it and in words that a visitor reads."""

    status: int
    words: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.words


def too_large(limits: Limits) -> Refusal:
    return Refusal(status=413, words=f"the file is larger than {limits.upload_megabytes:g} MB, the most that is taken")


def too_busy(words: str, *, seconds: int = 20) -> Refusal:
    """429: the same may be asked again after a while."""
    return Refusal(status=429, words=f"{words}; try again in a moment", headers={"retry-after": str(seconds)})
