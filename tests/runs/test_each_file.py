"""Worker processes under watch."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from vidtok.errors import DataError, DecodeError
from vidtok.runs.each_file import Done, each_file


def square(number: int, alive: Callable[[], None]) -> int:
    return number**2


def trouble(word: str, alive: Callable[[], None]) -> str:
    if word == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "ends":
        os._exit(3)
    if word == "hangs":
        time.sleep(60)
    if word == "bad":
        raise DecodeError("bad: is bad")
    if word == "disk":
        raise DataError("the disk is full")
    if word == "bug":
        raise KeyError("no such thing")
    if word == "slow":
        for _ in range(12):
            time.sleep(0.1)
            alive()
    return word.upper()


def by_job(done: list[Done]) -> dict[int, object]:
    assert len({each.job for each in done}) == len(done)
    return {each.job: each.cause or each.result for each in done}


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_done_once(workers: int):
    done = by_job([*each_file(square, range(40), workers=workers, timeout_seconds=30.0)])
    assert done == {number: number**2 for number in range(40)}
    assert [*each_file(square, [], workers=workers, timeout_seconds=30.0)] == []


def test_deaths_and_silence_are_named_and_the_rest_goes_on():
    words = ["a", "dies", "b", "hangs", "bad", "slow", "ends", "c", "d", "e"]
    started = time.monotonic()
    done = by_job([*each_file(trouble, words, workers=3, timeout_seconds=1.0)])
    assert time.monotonic() - started < 20
    assert done[1] == "the process that read it died (SIGKILL, perhaps for want of memory)"
    assert done[3] == "no frame came for 1 s: it hangs"
    assert done[4] == "bad: is bad"
    assert done[6] == "the process that read it died (exit status 3)"
    good = [0, 2, 5, 7, 8, 9]  # a slow one that says so is not silent
    assert [done[job] for job in good] == [words[job].upper() for job in good]


def test_what_is_not_the_files_fault_ends_the_run():
    with pytest.raises(DataError, match="the disk is full"):
        [*each_file(trouble, ["a", "disk", "b"], workers=2, timeout_seconds=30.0)]
    with pytest.raises(RuntimeError, match=r"(?s)in a worker process:.*KeyError: 'no such thing'"):
        [*each_file(trouble, ["bug"], workers=2, timeout_seconds=30.0)]
    assert not multiprocessing.active_children()


def test_closing_ends_the_workers():
    started = time.monotonic()
    with closing(each_file(trouble, ["a", "hangs", "hangs"], workers=3, timeout_seconds=60.0)) as results:
        assert next(results).result == "A"
        assert len(multiprocessing.active_children()) == 3
    assert not multiprocessing.active_children()
    assert time.monotonic() - started < 20


def write(job: Path, alive: Callable[[], None]) -> None:
    job.write_text("begun")
    try:
        time.sleep(60)
    finally:
        job.unlink()


def test_a_worker_that_is_ended_tidies_up(tmp_path: Path):
    with closing(each_file(trouble_or_write, ["a", tmp_path / "part"], workers=2, timeout_seconds=60.0)) as results:
        assert next(results).result == "A"
        while not (tmp_path / "part").exists():
            time.sleep(0.01)
    assert not (tmp_path / "part").exists()


def trouble_or_write(job: str | Path, alive: Callable[[], None]) -> str | None:
    return trouble(job, alive) if isinstance(job, str) else write(job, alive)


def test_an_idle_worker_that_dies_is_replaced():
    with closing(each_file(square, range(6), workers=1, timeout_seconds=30.0)) as results:
        first = next(results)
        os.kill(first.process, signal.SIGKILL)  # it has no job now
        rest = [*results]
    assert by_job([first, *rest]) == {number: number**2 for number in range(6)}
