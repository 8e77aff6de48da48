"""Where the processes that torchrun starts meet: a place in its store that no earlier start of them has used."""

import secrets
import time

from torch.distributed.distributed_c10d import PrefixStore, Store

from vidtok.errors import TrainingError


def fresh_store(store: Store, *, rank: int, world: int, timeout_seconds: float = 600.0) -> PrefixStore:
    """The same new part of a store for all processes of this start; every one of them calls it.

        rank 0                                   rank r
        sees the nonce, answers with it and  <-  here/r = nonce, drawn by this process
        the name of the new part             ->  answer/r = nonce, name
        goes on when all have                <-  ack/r = name

    torchrun keeps one store through all restarts, and a process that comes first in the second start would find the
    address of one that died in the first (PyTorch's issues 135712 and 167288). An answer that repeats a process's own
    nonce can only be from now. The number of restarts would not do as a name: machines count their own.
    Raises TrainingError when a process has not come after `timeout_seconds`.
    """
    own, end = secrets.token_hex(8), time.monotonic() + timeout_seconds

    def read(key: str) -> str:
        return store.get(key).decode() if store.check([key]) else ""

    if rank == 0:
        name, waiting, answered = own, set(range(1, world)), dict.fromkeys(range(1, world), "")
        while waiting:
            for other in sorted(waiting):
                nonce = read(f"here/{other}")
                if nonce != answered[other]:
                    store.set(f"answer/{other}", f"{nonce} {name}")
                    answered[other] = nonce
                if read(f"ack/{other}") == name:
                    waiting.remove(other)
            _rest(end, f"{len(waiting)} of {world} processes, such as rank {min(waiting, default=0)}, have")
    else:
        store.set(f"here/{rank}", own)
        while not (answer := read(f"answer/{rank}")).startswith(f"{own} "):
            _rest(end, "rank 0 has")
        name = answer.removeprefix(f"{own} ")
        store.set(f"ack/{rank}", name)
    return PrefixStore(name, store)


def _rest(end: float, who: str) -> None:
    if time.monotonic() > end:
        raise TrainingError(f"{who} not come to the meeting point; see what torchrun says on the other machines")
    time.sleep(0.02)
