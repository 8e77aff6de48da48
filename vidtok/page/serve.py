"""The server from its beginning to its end: models are opened, the address is said, and nothing stays behind."""

import logging
import secrets
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from vidtok.choices import Device
from vidtok.errors import ConfigError
from vidtok.page.app import make_app
from vidtok.page.desk import Desk, Offered, free_name, model_name
from vidtok.page.fits import Fits
from vidtok.page.guard import Guard, is_loopback
from vidtok.page.jobs import Queue
from vidtok.page.labels import LabelSet
from vidtok.page.limits import Limits
from vidtok.page.protocol import PatientProtocol
from vidtok.page.sessions import Sessions
from vidtok.page.worker import ProcessWorker, Worker
from vidtok.text.console import say

MOST_HEADER_BYTES = 16 * 1024
"""Of a request's line and headers together; more is answered with 400, and the connection closed."""


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """A folder of clips that visitors give classes, first `classes`.

    `file`: the list, by default labels.csv in that folder; `out`: the run of a fit, by default runs/fit_NAME; `encoder`
    as `vidtok fit` takes it.
    """

    folder: str | Path
    classes: Sequence[str] = ()
    file: str | Path | None = None
    out: str | Path | None = None
    encoder: str | None = None


class Server(uvicorn.Server):
    """Tells streams of events of the end before it waits for them."""

    desk: Desk

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.desk.queue.is_closing = True
        super().handle_exit(sig, frame)


def run_serve(
    models: Sequence[str],
    *,
    samples: str | Path | None = None,
    labelling: Labelling | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    device: Device = "auto",
    allow_plugins: bool = False,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    `models`: runs, saved folders, checkpoints, ids on the hub. `samples`: a folder of videos that visitors may pick.
    `port` 0: one that is free. Raises VidtokError for what cannot be used, before anything is served.
    """
    if not models and labelling is None:
        raise ConfigError("name a model, or with `label` a folder of clips to make one of")
    worker = ProcessWorker(device=device, allow_plugins=allow_plugins)
    with listen(host, port) as listening, closing_on_signals():
        desk = open_desk(worker, models, samples=samples, labelling=labelling, limits=limits or Limits())
        try:
            token = None if is_loopback(host) else secrets.token_urlsafe(24)
            server = make_server(desk, token=token)
            say(f"open {address(listening, host, token)}   (Ctrl-C ends it)")
            server.run(sockets=[listening])
        finally:
            close_desk(desk)


@contextmanager
def closing_on_signals() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does, so that what is to be removed is removed; neither is an error."""

    def leave(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. ConfigError where that cannot be."""
    try:
        (family, *_, place), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server(place[:2], family=family, backlog=256)
    except OSError as error:
        raise ConfigError(
            f"`host` {host}, `port` {port}: cannot be listened at ({error.strerror}); name another one"
        ) from error


def address(listening: socket.socket, host: str, token: str | None) -> str:
    """What is to be opened in a browser."""
    port = listening.getsockname()[1]
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + ("" if token is None else f"?token={token}")


def open_desk(
    worker: Worker,
    models: Sequence[str],
    *,
    samples: str | Path | None,
    labelling: Labelling | None,
    limits: Limits,
) -> Desk:
    """Everything that the server holds, with every model opened once. Nothing is left behind where that fails."""
    try:
        offered: dict[str, Offered] = {}
        for source in models:
            name = free_name(model_name(source), offered)
            told = tuple(worker.ask({"do": "open", "model": source})["classes"])
            offered[name] = Offered(name=name, source=source, classes=told)
            say(f"{name}: {len(told)} classes")
        shown = [] if samples is None else worker.ask({"do": "find", "folder": str(samples)})["names"]
        clips = [] if labelling is None else worker.ask({"do": "find", "folder": str(labelling.folder)})["names"]
        labels = None
        if labelling is not None:
            folder = Path(labelling.folder)
            file = Path(labelling.file) if labelling.file is not None else folder / "labels.csv"
            labels = LabelSet(folder, clips, file, classes=labelling.classes)
        queue = Queue(worker, limits)
    except BaseException:
        worker.stop()
        raise
    sessions = Sessions(limits, dropped=queue.drop)
    fits = None
    if labels is not None and labelling is not None:
        name = labels.folder.resolve().name
        fits = Fits(
            source=labels.file,
            root=labels.folder,
            out=Path("runs") / f"fit_{name}" if labelling.out is None else Path(labelling.out),
            log=sessions.root / "fit.log",
            options=[] if labelling.encoder is None else ["--encoder", labelling.encoder],
            most_minutes=limits.fit_minutes,
        )
    return Desk(
        limits=limits,
        sessions=sessions,
        queue=queue,
        models=offered,
        samples=[Path(samples) / name for name in shown] if samples is not None else (),
        labels=labels,
        fits=fits,
    )


def close_desk(desk: Desk) -> None:
    """End what is at work, and remove every file that visitors brought."""
    desk.queue.close()
    if desk.fits is not None:
        desk.fits.stop()
    desk.sessions.close()


def make_server(desk: Desk, *, token: str | None) -> Server:
    """uvicorn with small buffers, short patience and no words about each request."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a request that is none is not the operator's concern
    config = uvicorn.Config(
        Guard(app=make_app(desk), token=token),
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=desk.limits.connections,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )
    server = Server(config)
    server.desk = desk
    return server
