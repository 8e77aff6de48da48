"""Server-sent events: how something stands, whole, whenever that has changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from typing import Any

from starlette.responses import StreamingResponse

from vidtok.page.sessions import Session, Sessions

LOOK_SECONDS, QUIET_SECONDS = 0.15, 10.0


def events(
    sessions: Sessions, session: Session | None, now: Callable[[], tuple[dict[str, Any], bool]]
) -> StreamingResponse:
    """`now`: how it stands, for JSON, and whether that is the end. A line without meaning keeps a quiet stream alive.

    Refusal where a session has as many streams as it may.
    """
    if session is not None:
        sessions.check_visits(session)

    async def lines() -> AsyncIterator[str]:
        last, quiet = "", 0.0
        with sessions.visit(session) if session is not None else nullcontext():
            while True:
                told, is_end = now()
                text = json.dumps(told)
                if text != last:
                    yield f"data: {text}\n\n"
                    last, quiet = text, 0.0
                if is_end:
                    return
                if quiet > QUIET_SECONDS:
                    yield ": still here\n\n"
                    quiet = 0.0
                await asyncio.sleep(LOOK_SECONDS)
                quiet += LOOK_SECONDS

    return StreamingResponse(lines(), media_type="text/event-stream")
