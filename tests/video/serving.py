"""A web server on the loopback, with ranges or without."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Python's own knows no ranges: here it answers `bytes=FIRST-LAST`, unless it is told not to."""

    ranges = True
    claimed = 0
    asked: list[str]

    def log_message(self, format, *args):
        self.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        file = Path(self.translate_path(self.path))
        if not file.is_file():
            self.send_error(404)
            return
        data, wanted = file.read_bytes(), self.headers.get("Range")
        total = len(data)
        if self.ranges and wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last) + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(data) - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(self.claimed or len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)


@contextmanager
def served(folder: Path, *, ranges: bool = True, claimed: int = 0) -> Iterator[tuple[str, list[str]]]:
    """The address of a folder's files, and what was asked for so far."""
    asked: list[str] = []
    kind = type("Own", (Handler,), {"ranges": ranges, "claimed": claimed, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
