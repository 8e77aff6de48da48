"""Bodies that lie about themselves, stop, dribble or never end, before the real server."""

import socket
import time

import pytest

pytest.importorskip("uvicorn")
from tests.page.served import Visitor, read_all, served
from vidtok.page.limits import Limits
from vidtok.page.upload import clean_title

HEAD = "POST /jobs HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def page():
    with served(limits=Limits(upload_megabytes=0.05, stall_seconds=0.3)) as both:
        yield both


def talk(port: int, *parts: bytes, wait: float = 0.0) -> bytes:
    """Send parts with pauses, and read what is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        for part in parts:
            try:
                line.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(wait)
        return read_all(line)


def kept(desk) -> list:
    return list(desk.sessions.root.glob("*/*"))


def test_a_size_that_is_announced_is_refused_at_once(page):
    visitor, desk = page
    got = talk(visitor.port, f"{HEAD}Content-Length: 10737418240\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 413")
    assert b"larger than 0.05 MB" in got
    assert not kept(desk)


def test_a_body_that_says_nothing_of_its_size_is_counted(page):
    visitor, desk = page
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    got = talk(visitor.port, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode(), chunk * 7, b"0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413")
    assert not kept(desk)
    head = f"{HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    short = talk(visitor.port, head, b"1\r\nx\r\n0\r\n\r\n")
    assert short.startswith(b"HTTP/1.1 202")
    for session in [*desk.sessions._all.values()]:
        desk.sessions.end(session)


def test_a_body_that_stops_is_given_up(page):
    visitor, desk = page
    began = time.monotonic()
    got = talk(visitor.port, f"{HEAD}Content-Length: 1000\r\n\r\n".encode(), b"x" * 10)
    assert got.startswith(b"HTTP/1.1 408")
    assert b"nothing came for 0.3 s" in got
    assert time.monotonic() - began < 5
    assert not kept(desk)
    assert desk.uploads == 0


def test_a_body_that_dribbles_is_given_up(page):
    visitor, desk = page
    got = talk(visitor.port, f"{HEAD}Content-Length: 1000\r\n\r\n".encode(), *[b"x"] * 8, wait=0.1)
    assert got.startswith(b"HTTP/1.1 408")
    assert b"the upload is too slow" in got
    assert not kept(desk)


def test_a_visitor_who_leaves_in_the_middle_leaves_nothing(page):
    visitor, desk = page

    def comes_true(what) -> bool:
        end = time.monotonic() + 5
        while not what() and time.monotonic() < end:
            time.sleep(0.01)
        return what()

    with socket.create_connection(("127.0.0.1", visitor.port)) as line:
        line.sendall(f"{HEAD}Content-Length: 1000\r\n\r\nxxx".encode())
        assert comes_true(lambda: desk.uploads == 1)  # before that there is nothing that could be left
    assert comes_true(lambda: not kept(desk) and desk.uploads == 0)


def test_as_many_uploads_at_once_as_are_allowed():
    with served(limits=Limits(uploads=1)) as (visitor, desk):
        with socket.create_connection(("127.0.0.1", visitor.port)) as line:
            line.sendall(f"{HEAD}Content-Length: 1000\r\n\r\nxxx".encode())
            end = time.monotonic() + 5
            while not desk.uploads and time.monotonic() < end:
                time.sleep(0.02)
            answer = Visitor(visitor.port)("/jobs", "POST", b"x")
        assert (answer.status, answer.error) == (429, "1 uploads are coming in already; try again in a moment")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("a.mp4", "a.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\a b.mp4", "a b.mp4"),
        ("/", "video"),
        ("", "video"),
        ("a\0\n\x1b[31mb\udce9.mp4", "a[31mb.mp4"),
        ("é<b>.mp4", "é<b>.mp4"),
        ("x" * 300 + ".mp4", "x" * 68 + "…" + "x" * 7 + ".mp4"),
    ],
)
def test_names_are_titles_alone(name, title):
    assert clean_title(name) == title
