"""The page's server in a thread of its own, behind a real socket, with a worker that does what a test says."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidtok.errors import VidtokError
from vidtok.page.desk import Desk
from vidtok.page.limits import Limits
from vidtok.page.serve import Labelling, close_desk, listen, make_server, open_desk

FACTS = {"seconds": 2.0, "frames": 20, "size": [48, 64]}
TOP = [{"class": "red", "score": 0.75}, {"class": "blue", "score": 0.25}]


def quick(task: Mapping[str, Any]) -> Iterator[Any]:
    """What a worker says of a video that is well."""
    if task["do"] == "open":
        yield "part", {"classes": ["blue", "red"]}
    elif task["do"] == "find":
        yield "part", {"names": sorted(p.name for p in Path(task["folder"]).iterdir() if p.suffix in (".mp4", ".avi"))}
    else:
        if task.get("film"):
            Path(task["film"]).write_bytes(bytes(range(256)))
        yield "stage", ("reading the video", None)
        if task["do"] == "look":
            yield "part", {"video": FACTS, "top": TOP[: task.get("top", 5)]}
            if task.get("timeline"):
                yield "part", {"no_timeline": "the video has one frame"}
            yield "part", {"film": {"fps": 10.0, "seconds": [0.0], "whole": True, "notes": []}}
    yield "done", None


def held_until(gate: threading.Event) -> Callable[[Mapping[str, Any]], Iterator[Any]]:
    """A worker whose videos take until the gate is open."""

    def held(task: Mapping[str, Any]) -> Iterator[Any]:
        if task["do"] == "look":
            while not gate.is_set():
                yield None
        yield from quick(task)

    return held


def read_all(line: socket.socket) -> bytes:
    """What comes until the other side closes the connection, or breaks it off."""
    got = b""
    try:
        while part := line.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


@dataclass
class Script:
    """A worker without a process. `act` gives the events of a task; None among them: nothing new."""

    act: Callable[[Mapping[str, Any]], Iterable[Any]] = quick
    tasks: list[Mapping[str, Any]] = field(default_factory=list)
    stops: int = 0

    def give(self, task):
        self.tasks.append(task)
        self._events = iter(self.act(task))

    def news(self, seconds):
        event = next(self._events, None)
        if isinstance(event, Exception):
            raise event
        if event is None:
            time.sleep(0.005)
        return event

    def ask(self, task):
        result: dict[str, Any] = {}
        for what, content in self.act(task):
            if what == "failed":
                raise VidtokError(content)
            result |= content or {}
        return result

    def stop(self):
        self.stops += 1
        self._events = iter(())


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


@dataclass
class Visitor:
    """One who keeps cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def __call__(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        line.request(method, path, body=body, headers=sent)
        told = line.getresponse()
        answer = Answer(told.status, told.headers, told.read())
        for each in told.headers.get_all("set-cookie") or ():
            name, _, value = each.partition(";")[0].partition("=")
            self.cookies[name] = value
        line.close()
        return answer

    def until_over(self, job: str) -> Any:
        """The last event of a job."""
        return self.events(f"/jobs/{job}/events")[-1]

    def events(self, path: str) -> list[Any]:
        text = self(path).body.decode()
        return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@contextmanager
def served(
    worker: Any = None,
    *,
    models: Iterable[str] = ("runs/own/model",),
    samples: Path | None = None,
    labelling: Labelling | None = None,
    limits: Limits | None = None,
    token: str | None = None,
) -> Iterator[tuple[Visitor, Desk]]:
    """A visitor of a server that is there meanwhile, and what the server holds."""
    desk = open_desk(worker or Script(), list(models), samples=samples, labelling=labelling, limits=limits or Limits())
    with listen("127.0.0.1", 0) as listening:
        server = make_server(desk, token=token)
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server ended before it had begun"
                time.sleep(0.005)
            yield Visitor(listening.getsockname()[1]), desk
        finally:
            desk.queue.is_closing = server.should_exit = True
            thread.join(20)
            close_desk(desk)
