"""Folders of visitors: they go when nobody comes, when the server ends, and when a server before was killed."""

import pytest

from vidtok.page.jobs import Job
from vidtok.page.limits import Limits, Refusal
from vidtok.page.sessions import LOCK, NAME, Sessions, hold_lock, remove_left_behind


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return float(self.now)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dropped():
    return []


@pytest.fixture
def sessions(tmp_path, clock, dropped, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Sessions(Limits(sessions=2, kept=2, store_megabytes=500), clock=clock, dropped=dropped.append)
    yield made
    made.close()


def job_in(session, *, size=1, state="done"):
    folder = session.folder / f"job{len(session.jobs)}"
    folder.mkdir()
    (folder / "video").write_bytes(b"x")
    job = Job(task={}, title="a", folder=folder, upload_bytes=size, state=state)
    session.jobs[job.key] = job
    return job


def test_a_session_ends_when_nobody_comes(sessions, clock, dropped):
    one = sessions.open()
    job = job_in(one)
    clock.now = 1799
    assert sessions.find(one.key) is one
    clock.now = 1799 + 1801
    assert sessions.find(one.key) is None
    assert not one.folder.exists()
    assert dropped == [job]
    assert not sessions.is_open(one)
    two = sessions.open()
    clock.now += 1801
    sessions.sweep()
    assert not two.folder.exists()
    assert sessions.find(None) is None
    assert sessions.find("x") is None


def test_what_is_being_answered_is_not_idle(sessions, clock):
    one = sessions.open()
    with sessions.visit(one):
        clock.now = 10_000
        sessions.sweep()
        assert one.folder.exists()
    sessions.sweep()
    assert one.folder.exists(), "it was seen at the end of the visit"
    clock.now += 1801
    sessions.sweep()
    assert not one.folder.exists()


def test_no_more_visits_than_a_person_makes(sessions):
    one = sessions.open()
    one.visits = 8
    with pytest.raises(Refusal, match="8 requests of yours") as told:
        sessions.check_visits(one)
    assert told.value.status == 429


def test_an_idle_session_without_videos_makes_room_for_a_new_one(sessions, clock):
    one, two = sessions.open(), sessions.open()
    job_in(one)
    with pytest.raises(Refusal, match="too many people") as told:
        sessions.open()
    assert told.value.status == 503
    clock.now = 61
    sessions.open()
    assert sessions.is_open(one)
    assert not sessions.is_open(two)


def test_old_videos_make_room_for_new_ones(sessions):
    one = sessions.open()
    first, second = job_in(one), job_in(one)
    sessions.make_room(one, spare=first)
    assert list(one.jobs.values()) == [first]
    assert not second.folder.exists()
    job_in(one, state="waiting")
    first.state = "running"
    with pytest.raises(Refusal, match="2 of your videos are waiting"):
        sessions.make_room(one)


def test_the_disk_is_bounded(sessions):
    one = sessions.open()
    job_in(one, size=300_000_000)
    sessions.make_room(one)
    job_in(sessions.open(), size=1)
    with pytest.raises(Refusal, match="no room for another video"):
        sessions.make_room(one)


def test_nothing_is_left_of_an_ended_server_or_a_killed_one(sessions, tmp_path, monkeypatch):
    killed, alive = tmp_path / f"{NAME}killed", tmp_path / f"{NAME}alive"
    for folder in (killed, alive, tmp_path / f"{NAME}other"):
        folder.mkdir()
    (killed / LOCK).touch()
    lock = hold_lock(alive)
    remove_left_behind(tmp_path)
    assert not killed.exists()
    assert alive.exists()
    assert (tmp_path / f"{NAME}other").exists(), "what has no lock was not made by a server"
    assert sessions.root.exists(), "one that is at work"
    lock.close()
    one = sessions.open()
    sessions.close()
    assert not sessions.root.exists()
    assert not one.folder.exists()
