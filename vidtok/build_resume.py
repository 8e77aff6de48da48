"""Whether a run may go on from a checkpoint with the configuration that it is given now, and what changes with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vidtok.build import Lists
from vidtok.build_data import run_steps
from vidtok.config import Config
from vidtok.config_io import difference, load_config_text
from vidtok.errors import CheckpointError
from vidtok.train.checkpoint import Checkpoint

# What a run computes does not follow from these: they may change whenever it goes on.
FREE_KEYS = (
    *("run.dir", "run.device", "run.wait_minutes", "data.root", "data.workers", "data.timeout_seconds"),
    *("data.max_bad_fraction", "eval", "train.log_every", "train.save_every", "train.keep_checkpoints"),
    *("train.parallel", "train.sharded_checkpoints"),
)
LIST_KEYS = ("data.train", "data.val", "data.classes", "data.format")
"""Where the lists lie: what they say is compared instead, where the checkpoint tells it."""
NETWORK_KEYS = ("model", "data.frames", "data.size")
"""These make the network, which stays through all segments of a run."""
START_KEYS = ("train.init", "train.head_bias")
"""These say how a run begins, and nothing of how it goes on."""


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """How a run goes on from a checkpoint: as before, or as a new segment with the `changes` (now | then)."""

    changes: tuple[str, ...] = ()
    moments: bool = True
    """Whether the optimizer is of the kind whose state the checkpoint holds."""
    other_val: bool = False
    """The validation list is another, so that the best validation so far does not count."""

    @property
    def new_segment(self) -> bool:
        return bool(self.changes)


def fingerprints(lists: Lists) -> dict[str, str]:
    """What the lists of a run say, by their names, as its checkpoints keep it."""
    return {"train": lists.train.fingerprint(), "val": lists.val.fingerprint()}


def plan_resumption(
    config: Config, checkpoint: Checkpoint, path: Path, lists: Lists, *, new_segment: bool = False
) -> Resumption:
    """How a run goes on from the checkpoint in `path`; with `new_segment` the configuration may have changed.

    Raises CheckpointError that shows every key and list in which this run differs from the one in the checkpoint, and
    what can be done about it, where it may not differ.
    """
    before = load_config_text(checkpoint.config, source=f"config in {path}")
    free = (*FREE_KEYS, *LIST_KEYS) if checkpoint.lists else FREE_KEYS
    lines = difference(config, before, ignore=free)
    other_lists = list_changes(fingerprints(lists), checkpoint.lists)
    network = [line for line in lines if line.split(":")[0].startswith(tuple(f"{key}." for key in NETWORK_KEYS))]
    network += [line for line in lines if line.split(":")[0] in (*NETWORK_KEYS, *START_KEYS)]
    if tuple(lists.classes) != checkpoint.classes:
        network.append(f"classes: {len(lists.classes)} in the list | {len(checkpoint.classes)} in the checkpoint")
    if network:
        others = [line for line in (*lines, *other_lists.values()) if line not in network]
        raise CheckpointError(
            f"{path}: this run was started with another network, start or classes (now | then):"
            f"{_listed((*network, *others))}\n"
            f"Undo the change to go on, or set run.dir to another folder to start anew; train.init={path} then begins "
            "with these weights."
        )
    changes = (*lines, *other_lists.values())
    if changes and not new_segment:
        raise CheckpointError(
            f"{path}: this run was started with another configuration (now | then):{_listed(changes)}\n"
            "Undo the change to go on as it was. To go on from here with the change, as a new segment of the run, add "
            "--new-segment. To start anew set run.dir to another folder."
        )
    steps = run_steps(config, len(lists.train))
    if changes and checkpoint.step >= steps:
        raise CheckpointError(
            f"{path}: a new segment goes on behind step {checkpoint.step}, and the run is to have {steps} steps: "
            f"nothing is left to do. Set train.steps above {checkpoint.step} (or train.epochs to more)."
        )
    same_kind = config.train.optimizer == before.train.optimizer
    return Resumption(changes=changes, moments=same_kind, other_val="val" in other_lists)


def list_changes(now: Mapping[str, str], then: Mapping[str, str]) -> dict[str, str]:
    """By the names of the lists that say something else than the checkpoint tells, a line that shows it."""
    return {name: f"what data.{name} lists: {now[name]} | {text}" for name, text in then.items() if text != now[name]}


def kept_bad(bad: Mapping[str, str], lists: Lists) -> dict[str, str]:
    """Of the records that could not be decoded, those that the training list still has."""
    keys = {record.key for record in lists.train} if bad else set()
    return {key: cause for key, cause in bad.items() if key in keys}


def _listed(lines: tuple[str, ...] | list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
