"""Make the embedded data set `motion`."""

from pathlib import Path

from vidtok.data.motion import render_motion
from vidtok.errors import ConfigError


def run_motion(folder: str | Path, *, train: int = 3000, val: int = 400, seed: int = 0) -> None:
    """Render and encode so many clips into a folder, with train.csv, val.csv and classes.txt.

    Raises ConfigError for numbers that cannot be.
    """
    for name, value, least in (("train", train, 1), ("val", val, 1), ("seed", seed, 0)):
        if value < least:
            raise ConfigError(f"`{name}` counts from {least}, got {value}")
    render_motion(folder, clips_train=train, clips_val=val, seed=seed)
    print(f"{folder}: {train} training and {val} validation clips")
