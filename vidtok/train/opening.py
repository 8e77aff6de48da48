"""A checkpoint by its path, whichever way it was written: one file, or a folder of parts."""

from pathlib import Path

from vidtok.train.checkpoint import Checkpoint, load_file


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint into the memory of the CPU, a sharded one too; CheckpointError where it is damaged.

    It is read with `weights_only=True`, so that a file from elsewhere cannot run code.
    """
    path = Path(path)
    if path.is_dir():
        from vidtok.train.shards import load_whole  # only where there are shards: the import takes a second

        return load_whole(path)
    return load_file(path)
