"""Server-sent events: what has changed is told whole, a quiet stream says that it is there, and the end is one."""

import asyncio
import json

import pytest

from vidtok.page import events as module
from vidtok.page.events import events
from vidtok.page.limits import Limits, Refusal
from vidtok.page.sessions import Sessions


@pytest.fixture
def sessions(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Sessions(Limits(visits=2), dropped=lambda job: None)
    yield made
    made.close()


@pytest.fixture
def slept(monkeypatch):
    """The waits of a stream, in seconds, which take no time here."""
    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return waits


def told_by(response) -> list[str]:
    async def gather() -> list[str]:
        return [part async for part in response.body_iterator]

    return asyncio.run(gather())


def script(*states):
    """`now` of a stream: these one after the other; the last one is its end."""
    left = iter(states)
    count = len(states)
    seen = 0

    def now():
        nonlocal seen
        seen += 1
        return {"state": next(left)}, seen == count

    return now


def data(state) -> str:
    return f"data: {json.dumps({'state': state})}\n\n"


def test_what_has_changed_is_told_once(sessions, slept):
    response = events(sessions, None, script("wait", "wait", "work", "wait", "wait"))
    assert response.media_type == "text/event-stream"
    assert told_by(response) == [data("wait"), data("work"), data("wait")]
    assert slept == [0.15] * 4, "it looks again after a moment, and not behind the end"


def test_the_end_is_told_where_it_is_news(sessions, slept):
    assert told_by(events(sessions, None, script("done"))) == [data("done")]
    assert slept == []


def test_a_quiet_stream_says_that_it_is_there(sessions, slept):
    """Above ten seconds of 0.15: with every 67th look, counted from the last line of any kind."""
    parts = told_by(events(sessions, None, script(*["wait"] * 68, *["work"] * 135, "done")))
    assert parts == [data("wait"), ": still here\n\n", data("work"), *[": still here\n\n"] * 2, data("done")]
    parts = told_by(events(sessions, None, script(*["work"] * 134, "done")))
    assert parts == [data("work"), ": still here\n\n", data("done")], "the second one is as far from the first"
    parts = told_by(events(sessions, None, script(*["wait"] * 67, *["work"] * 67, *["done"] * 67, "end")))
    assert parts == [data("wait"), data("work"), data("done"), data("end")], "news count as a line"


def test_ten_seconds_are_not_too_quiet_yet(sessions, slept, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 5.0)
    assert told_by(events(sessions, None, script(*["wait"] * 5))) == [data("wait"), ": still here\n\n"]
    assert told_by(events(sessions, None, script(*["wait"] * 4))) == [data("wait")]


def test_a_session_is_visited_while_it_listens(sessions, slept):
    session = sessions.open()
    visits = list[int]()

    def now():
        visits.append(session.visits)
        return {"state": "done"}, len(visits) == 2

    response = events(sessions, session, now)
    assert session.visits == 0, "not before it is sent"
    assert told_by(response) == [data("done")]
    assert visits == [1, 1]
    assert session.visits == 0


def test_a_session_has_so_many_streams_and_no_more(sessions):
    session = sessions.open()
    with sessions.visit(session), sessions.visit(session):
        with pytest.raises(Refusal, match="2 requests of yours are being answered") as refused:
            events(sessions, session, script("done"))
    assert refused.value.status == 429
