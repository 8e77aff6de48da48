"""Folders that a command writes into."""

from pathlib import Path

from vidtok.errors import ConfigError


def make_folder(folder: str | Path, *, option: str = "--out") -> Path:
    """Make it and those above it. Raises ConfigError, which names the option that named it, where it cannot be."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option}: {folder}: cannot be made ({error.strerror}); name another folder") from error
    return folder
