"""Work over any number of videos as a Ray Data job: actors that read and compute for themselves, and hand rows back."""

import importlib
import importlib.util
import logging
import os
import pickle
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors.torch import load, save
from torch import Tensor

from vidtok.choices import Device
from vidtok.errors import ConfigError
from vidtok.train.parallel import usable_cores
from vidtok.types import Failure

Arrays = Mapping[str, Tensor]

BLOCK_VIDEOS = 16
"""Handed to an actor together: what is done again when one dies."""
MOST_BLOCKS = 4096
"""Of a job: the blocks of larger collections have more videos."""
TRIES_AGAIN = 1
"""How often a block, or one of its videos, whose actor died is given to another one, before it is tried alone."""
STORE_BYTES = 512 * 2**20
"""Of the object store beside what holds the work itself: rows on their way, and paths."""
RAISED = -1
"""Stands for a video's index in the row of what a user can mend, and of every other error but a bad video."""


@runtime_checkable
class Work(Protocol):
    """What every actor does. It travels once to each of them, pickled."""

    def start(self, device: torch.device) -> None:
        """Make ready, on the actor's device."""
        ...

    def __call__(self, paths: Sequence[Path]) -> Iterable[Arrays | Failure]:
        """What is said of each of these videos, in their order. It is called again for a block whose actor died."""
        ...

    @property
    def held_bytes(self) -> int:
        """How large it is, about."""
        ...


def check_ray() -> None:
    """Raise ConfigError, which says how to mend it, where Ray Data is not installed."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pyarrow") is None:
        raise ConfigError("`engine`=ray needs Ray Data: pip install 'vidtok[ray]'")


def ray_rows(
    work: Work,
    paths: Sequence[Path],
    *,
    actors: int | None = None,
    cores: int = 1,
    device: Device = "auto",
    ray_address: str | None = None,
    block: int | None = None,
) -> Generator[tuple[int, Arrays | Failure], None, None]:
    """Each video's place in `paths` and what `work` makes of it, once, in any order, as blocks of `block` videos end.

    The job's data set are the paths. One actor per GPU, or per `cores` cores, computes with one thread; it returns rows
    and writes nothing, since Ray runs the block of an actor that died again. A block that keeps killing actors is
    divided: each of its videos is tried alone, and is a Failure where that ends so too, and the job goes on.

    `ray_address`: of a cluster, on whose machines vidtok and the videos are found under the same paths; None: Ray is
    started on this machine, and ended, unless this process is in a cluster already. What `work` raises is raised here.
    """
    check_ray()
    if not paths:
        return
    ray = importlib.import_module("ray")
    with joined(ray, actors=actors, cores=cores, work=work, address=ray_address):
        actors, on_gpu = actors_of(ray.cluster_resources(), actors=actors, cores=cores, device=device)
        held = ray.put(work)
        left = set(range(len(paths)))
        own = {"cores": cores, "on_gpu": on_gpu}

        def rows(
            places: Sequence[int], together: int, *, again: int = TRIES_AGAIN
        ) -> Iterator[tuple[int, Arrays | Failure]]:
            count = min(actors, -(-len(places) // together))
            for index, found in _job(held, paths, places, together, actors=count, again=again, **own) if places else ():
                if index in left:  # a block that was run twice brings no video twice
                    left.remove(index)
                    yield index, found

        yield from rows(sorted(left), block or max(BLOCK_VIDEOS, -(-len(paths) // MOST_BLOCKS)))
        yield from rows(sorted(left), 1)
        for index in sorted(left):  # some were waiting for an actor that another one killed, and again
            yield from rows([index], 1, again=0)
        for index in sorted(left):
            path = paths[index]
            cause = f"{path}: the process that read it died, alone too (perhaps for want of memory)"
            yield index, Failure(index=index, path=path, cause=cause, key=str(path))


@contextmanager
def joined(ray: Any, *, actors: int | None, cores: int, work: Work, address: str | None) -> Iterator[None]:
    """A cluster that is there, or one of this machine alone for as long as it lasts."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers of each start
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is not None:
        ray.init(address=address, **quiet)
    else:
        # Without `actors` there may be one per GPU, each with its cores.
        count = actors * cores if actors else max(usable_cores(), max(1, torch.cuda.device_count()) * cores)
        store = STORE_BYTES + 2 * work.held_bytes
        ray.init(address="local", num_cpus=count, include_dashboard=False, object_store_memory=store, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def actors_of(resources: Mapping[str, float], *, actors: int | None, cores: int, device: Device) -> tuple[int, bool]:
    """How many actors a cluster with these resources runs, and whether each has a GPU.

    Raises ConfigError for what it has not: Ray would wait for it without end.
    """
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if device == "cuda" and not gpus:
        raise ConfigError("`device`=cuda, but Ray finds no GPU; give `device`=auto or cpu")
    on_gpu = device != "cpu" and gpus > 0
    most = min(gpus, cpus // cores) if on_gpu else cpus // cores
    if most < 1 or (actors or 1) > most:
        has = f"{cpus} cores" + (f" and {gpus} GPUs" if on_gpu else "")
        raise ConfigError(f"`actors`={actors or 1}, with {cores} cores each: Ray has {has}, which is enough for {most}")
    return actors or most, on_gpu


def _job(
    held: Any,
    paths: Sequence[Path],
    places: Sequence[int],
    together: int,
    *,
    actors: int,
    again: int,
    cores: int,
    on_gpu: bool,
) -> Iterator[tuple[int, Arrays | Failure]]:
    """The rows of one Ray Data job over the videos at these places."""
    data = importlib.import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # blocks that are lost are told as what becomes of them
    items = [{"index": place, "path": os.fsencode(paths[place])} for place in places]  # names may be no UTF-8
    listed = data.from_items(items, override_num_blocks=-(-len(items) // together))
    listed.context.enable_progress_bars = False
    listed.context.print_on_execution_start = False
    listed.context.max_errored_blocks = -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the two last arguments are to have other names in 2.64
        rows = listed.map_batches(
            Actor,
            fn_constructor_args=(held, on_gpu, str(Path.cwd())),
            batch_size=None,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=actors),
            num_cpus=cores,
            num_gpus=1 if on_gpu else None,
            max_restarts=-1,
            max_task_retries=again,
        )
    for table in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
        for row in table.to_pylist():
            yield row["index"], found_in(row, paths)


def found_in(row: Mapping[str, Any], paths: Sequence[Path]) -> Arrays | Failure:
    """What an actor's row says of its video. Raises what the work raised."""
    index, cause = row["index"], row["cause"]
    if index == RAISED:
        raise pickle.loads(row["packed"])  # of an actor of our own
    if cause is None:
        return load(row["packed"])
    return Failure(index=index, path=paths[index], cause=os.fsdecode(cause), key=str(paths[index]))


class Actor:
    """The work on some videos after the other, in a process of its own: a row of a table for each."""

    def __init__(self, held: Any, on_gpu: bool, folder: str):
        torch.set_num_threads(1)
        if os.path.isdir(folder):
            os.chdir(folder)  # relative paths are the driver's
        self.work: Work = importlib.import_module("ray").get(held)
        self.work.start(torch.device("cuda" if on_gpu else "cpu"))

    def __call__(self, batch: Any) -> Iterator[Any]:
        places = batch["index"].to_pylist()
        paths = [Path(os.fsdecode(path)) for path in batch["path"].to_pylist()]
        try:
            for index, found in zip(places, self.work(paths), strict=True):
                if isinstance(found, Failure):
                    yield _row(index, cause=found.cause)
                else:
                    yield _row(index, packed=save({name: each.contiguous() for name, each in found.items()}))
        except Exception as error:
            yield _row(RAISED, packed=_pickled(error))


def _row(index: int, *, cause: str | None = None, packed: bytes = b"") -> Any:
    arrow = importlib.import_module("pyarrow")
    columns = {
        "index": arrow.array([index], arrow.int64()),
        # Names that are no UTF-8 stand in causes too.
        "cause": arrow.array([None if cause is None else os.fsencode(cause)], arrow.binary()),
        "packed": arrow.array([packed], arrow.large_binary()),
    }
    return arrow.table(columns)


def _pickled(error: Exception) -> bytes:
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return data
