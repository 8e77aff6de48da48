"""The queue: order, positions, time, and what it does when a worker dies."""

import threading
import time

import pytest

from tests.page.served import Script, quick
from vidtok.page.jobs import Job, Queue
from vidtok.page.limits import Limits, Refusal
from vidtok.page.worker import Ended


def look(tmp_path, title="a.mp4", **task):
    return Job(task={"do": "look", "video": str(tmp_path / "video"), **task}, title=title, folder=tmp_path)


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def held_by(gate):
    def act(task):
        while not gate.is_set():
            yield None
        yield from quick(task)

    return act


def test_jobs_are_done_in_their_order(tmp_path, gate):
    worker = Script(held_by(gate))
    queue = Queue(worker, Limits(waiting=2))
    jobs = [look(tmp_path, number=number) for number in range(3)]
    queue.put(jobs[0])
    wait_for(lambda: jobs[0].state == "running")
    queue.put(jobs[1])
    queue.put(jobs[2])
    assert [queue.position(job) for job in jobs] == [0, 1, 2]
    assert queue.length == 3
    with pytest.raises(Refusal, match="2 videos are waiting already") as told:
        queue.put(look(tmp_path))
    assert told.value.status == 429
    gate.set()
    wait_for(lambda: all(job.is_over for job in jobs))
    assert [task["number"] for task in worker.tasks] == [0, 1, 2]
    assert [job.state for job in jobs] == ["done"] * 3
    assert jobs[0].stage == "reading the video"
    assert jobs[0].told(position=0)["top"][0]["class"] == "red"
    queue.close()
    assert worker.stops == 1


def test_a_job_that_takes_too_long_ends_with_its_worker(tmp_path, gate):
    worker = Script(held_by(gate))
    queue = Queue(worker, Limits(work_seconds=0.2))
    job = look(tmp_path)
    queue.put(job)
    wait_for(lambda: job.is_over)
    assert job.error == "this took longer than 0.2 s, the most that is given to a video"
    assert worker.stops == 1
    gate.set()
    after = look(tmp_path)
    queue.put(after)
    wait_for(lambda: after.is_over)
    assert after.state == "done"
    queue.close()


def test_dropped_jobs_are_not_done(tmp_path, gate):
    worker = Script(held_by(gate))
    queue = Queue(worker, Limits())
    jobs = [look(tmp_path, number=number) for number in range(3)]
    for job in jobs:
        queue.put(job)
    wait_for(lambda: jobs[0].state == "running")
    queue.drop(jobs[1])
    queue.drop(jobs[0])
    wait_for(lambda: worker.stops == 1)
    gate.set()
    wait_for(lambda: jobs[2].is_over)
    assert [job.state for job in jobs] == ["dropped", "dropped", "done"]
    assert [task["number"] for task in worker.tasks] == [0, 2]
    queue.drop(jobs[2])
    assert jobs[2].state == "done"
    queue.close()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Ended("the process ended, by signal 11"), "a.mp4: the process ended, by signal 11"),
        (RuntimeError("oh"), "the server cannot go on with this video: RuntimeError: oh"),
        (("failed", "{folder}/video: no frames, {folder}"), "a.mp4: no frames, a.mp4"),
    ],
)
def test_the_queue_outlives_what_goes_wrong(tmp_path, event, words):
    if isinstance(event, tuple):
        event = (event[0], event[1].format(folder=tmp_path))
    worker = Script(lambda task: [event] if task.get("bad") else quick(task))
    queue = Queue(worker, Limits())
    bad, good = look(tmp_path, bad=True), look(tmp_path)
    queue.put(bad)
    queue.put(good)
    wait_for(lambda: good.is_over)
    assert (bad.state, bad.error) == ("failed", words)
    assert good.state == "done"
    assert worker.stops == (0 if isinstance(event, tuple) else 1)
    queue.close()
