"""The checkpoints of a run on the disk: which are kept, and from which one the run goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vidtok.errors import CheckpointError, NotFiniteError
from vidtok.train.checkpoint import (
    BEST,
    DAMAGED,
    Checkpoint,
    find_checkpoint,
    list_checkpoints,
    read_packed,
    remove_old,
    remove_unfinished,
    save_checkpoint,
    verify_file,
    write_checkpoint,
)
from vidtok.train.parallel import Parallel
from vidtok.train.state import RunState

Written = TypeVar("Written")


@dataclass(frozen=True, kw_only=True)
class Start:
    """The checkpoint that a run goes on from; `notes` tell of newer ones that are damaged."""

    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Store:
    """The folder of a run's checkpoints. All processes call its methods together; the first one writes.

    The newest `keep` stay, and the best, if any, under a name of its own. With `sharded` every process of an FSDP2 run
    writes its own part into a folder.
    """

    folder: Path
    parallel: Parallel
    keep: int = 2
    sharded: bool = False

    def save(self, state: RunState, *, config: str, classes: tuple[str, ...]) -> Path:
        """Save a step; its path.

        Raises CheckpointError on every process when it cannot be written, and NotFiniteError rather than keep weights,
        averages or an optimizer's state that are not finite.
        """
        state.check_finite(self.parallel)
        split = self.sharded and self.parallel.sharded
        checkpoint = state.checkpoint(config=config, classes=classes, whole=not split)
        if not split:
            return self._first(lambda: save_checkpoint(checkpoint, self.folder, keep=self.keep))
        from vidtok.train.shards import save_shards, shards_path

        path = shards_path(self.folder, checkpoint.step)
        save_shards(checkpoint, path, self.parallel)
        self._first(lambda: remove_old(self.folder, keep=self.keep))
        return path

    def save_best(self, state: RunState, *, config: str, classes: tuple[str, ...]) -> Path:
        """Save a step, in one file, as the best one in place of the best before; its path. Raises as `save` does."""
        state.check_finite(self.parallel)
        checkpoint, path = state.checkpoint(config=config, classes=classes), self.folder / BEST
        self._first(lambda: write_checkpoint(checkpoint, path))
        return path

    def _first(self, act: Callable[[], Written]) -> Written:
        """What the first process's act gives, on every process; where it fails, they all raise its CheckpointError."""
        given, problem = None, ""
        if self.parallel.is_main:
            try:
                given = act()
            except CheckpointError as error:
                problem = str(error)
        given, problem = self.parallel.gather((given, problem))[0]
        if problem:
            raise CheckpointError(problem)
        return given

    def find_start(self, resume: str | None) -> Start | None:
        """The checkpoint to go on from: the newest whole one in the folder, else what is asked for, else None.

        `resume` names a checkpoint or a run; the empty text insists that this run has one. What a killed run left half
        written is removed, and a damaged checkpoint steps aside under another name if an older one is whole. Raises
        CheckpointError where all are damaged.
        """

        def look() -> Start | None:
            remove_unfinished(self.folder)
            own = list_checkpoints(self.folder)
            if own:
                return newest_whole(own, where=self.folder)
            if resume == "":
                raise CheckpointError(
                    f"{self.folder}: `resume`, but there is no checkpoint; leave `resume` out to start anew"
                )
            if resume is None:
                return None
            path = find_checkpoint(resume)
            verify(path)
            return Start(path=path)

        return self._first(look)

    def open(self, start: Start) -> Checkpoint:
        """The checkpoint; of a sharded one that this run reads part by part, all but the tensors."""
        if not start.path.is_dir():
            return read_packed(start.path, source=start.path)
        from vidtok.train.shards import load_whole, read_rest

        return read_rest(start.path) if self.parallel.sharded else load_whole(start.path)

    def restore(
        self,
        state: RunState,
        checkpoint: Checkpoint,
        start: Start,
        *,
        new_segment: bool = False,
        moments: bool = True,
    ) -> None:
        """Put a checkpoint that `open` gave into a run. Sharded ones and files both fit any number of processes.

        `new_segment` and `moments` are those of `RunState.restore`. Raises CheckpointError where the checkpoint is of
        another model, and where it holds what is not finite: older versions saved such.
        """
        if start.path.is_dir() and self.parallel.sharded:
            from vidtok.train.shards import load_shards

            checkpoint = load_shards(start.path, state.model.state_dict())
        state.restore(checkpoint, source=start.path, new_segment=new_segment, moments=moments)
        try:
            state.check_finite(self.parallel)
        except NotFiniteError as error:
            raise CheckpointError(
                f"{start.path}: {error}, so nothing can be learned from here on. Move this checkpoint away: the run "
                "then goes on from the one before it, or anew where there is none."
            ) from error


def verify(path: Path) -> None:
    """Raise CheckpointError unless the checkpoint, a file or a folder, is whole."""
    if path.is_dir():
        from vidtok.train.shards import verify_shards

        verify_shards(path)
    elif not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    else:
        verify_file(path)


def newest_whole(paths: list[Path], *, where: Path) -> Start:
    """The last of these that is whole; damaged ones behind it get another name, and the notes say so."""
    damaged: list[tuple[Path, str]] = []
    for path in reversed(paths):
        try:
            verify(path)
        except CheckpointError as error:
            damaged.append((path, str(error)))
            continue
        notes = []
        for bad, problem in damaged:
            aside = bad.rename(bad.with_name(bad.name + DAMAGED))
            notes.append(f"{problem}. It is now {aside.name}, and the run goes on from the one before: {path}")
        return Start(path=path, notes=tuple(notes))
    listed = "".join(f"\n  {problem}" for _, problem in damaged)
    raise CheckpointError(f"{where}: no checkpoint of this run is whole; move the folder away to start anew:{listed}")
