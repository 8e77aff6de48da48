"""HTTP by uvicorn's h11, with a time for a request's headers: a visitor who dribbles them holds no connection."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0


class PatientProtocol(H11Protocol):
    """Closes a connection whose request has not begun `header_seconds` after the connection or its last answer.

    uvicorn itself waits for the first bytes, and between them, for ever.
    """

    header_seconds = HEADER_SECONDS
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # a request has come whole
            self._rest()
        elif self._waiting is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()  # the first bytes of the next one

    def _wait(self) -> None:
        self._rest()
        self._waiting = self.loop.call_later(self.header_seconds, self._give_up)

    def _rest(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
