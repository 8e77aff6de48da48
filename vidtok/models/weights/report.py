"""What became of every key when weights of another format were brought into a network."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Report:
    """Each key of the source is in `used`, `resized` or `skipped`; each parameter that got nothing is in `missing`."""

    used: tuple[str, ...]
    """Keys of the source that were taken as they are, at most in another layout."""
    resized: tuple[str, ...]
    """Keys that were changed in value to fit: interpolated or repeated positions, inflated kernels, parts left out."""
    skipped: tuple[str, ...]
    """Keys that have no place in the network, each with the reason in brackets."""
    missing: tuple[str, ...]
    """Parameters of the network that keep their start."""
    notes: tuple[str, ...] = ()
    """Where the network computes otherwise than the one that the weights were made in, although every shape fits."""

    @property
    def whole(self) -> bool:
        """Whether every key was taken as it is, and every parameter got its weights, in the same network."""
        return not (self.resized or self.skipped or self.missing or self.notes)

    def __str__(self) -> str:
        lines = [
            f"{len(self.used)} keys used, {len(self.resized)} resized, {len(self.skipped)} skipped, "
            f"{len(self.missing)} parameters of the network keep their start"
        ]
        for title, keys in (
            ("resized", self.resized),
            ("skipped", self.skipped),
            ("missing", self.missing),
            ("note", self.notes),
        ):
            lines += [f"  {title}: {key}" for key in keys]
        return "\n".join(lines)
