"""Requests that never begin: headers that dribble, or are too large."""

import socket
import time

import pytest

pytest.importorskip("uvicorn")
from tests.page.served import Visitor, read_all, served
from vidtok.page.protocol import PatientProtocol


def test_headers_that_do_not_end_are_given_up(monkeypatch):
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.4)
    with served() as (visitor, _):
        began = time.monotonic()
        silent = socket.create_connection(("127.0.0.1", visitor.port), timeout=5)
        slow = socket.create_connection(("127.0.0.1", visitor.port), timeout=5)
        kept = socket.create_connection(("127.0.0.1", visitor.port), timeout=5)
        kept.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while b'"labels"' not in kept.recv(65536):
            pass
        kept.sendall(b"GET /sta")  # a second request of the same connection
        try:
            for _ in range(12):
                slow.sendall(b"GET / HTTP/1.1\r\nX: "[:1])
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass
        for line in (silent, slow, kept):
            assert read_all(line) == b""
            line.close()
        assert time.monotonic() - began < 4
        assert Visitor(visitor.port)("/state").status == 200


def test_headers_of_ten_gigabytes_are_refused_after_a_few_kilobytes():
    with served() as (visitor, _):
        with socket.create_connection(("127.0.0.1", visitor.port), timeout=5) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            sent = 0
            try:
                while sent < 2**24:
                    sent += line.send(b"x" * 4096)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert sent < 2**24, "the connection is closed long before"
        assert Visitor(visitor.port)("/state").status == 200
        got = b""
        with socket.create_connection(("127.0.0.1", visitor.port), timeout=5) as line:
            line.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            got = read_all(line)
        assert got.startswith(b"HTTP/1.1 400")
        assert Visitor(visitor.port)("/state").status == 200


def test_an_answer_that_takes_longer_than_headers_may_is_not_cut_off(monkeypatch):
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.2)

    def slow(task):
        yield from [None] * 60
        yield from quick(task)

    from tests.page.served import Script, quick

    def act(task):
        return slow(task) if task["do"] == "look" else quick(task)

    with served(Script(act)) as (visitor, _):
        assert visitor("/predict", "POST", b"x").status == 200
