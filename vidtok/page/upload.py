"""Bodies of requests: counted as they come, whatever their headers say of them."""

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request

from vidtok.page.limits import Limits, Refusal, too_large

MOST_JSON = 64 * 1024
MOST_TITLE = 80
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
LINGER_BYTES, LINGER_SECONDS = 8 * 2**20, 1.0
SLOWEST = 4096
"""Bytes a second over all of an upload, behind its first stall_seconds."""


def check_announced(request: Request, limits: Limits) -> None:
    """Refusal for a body that says of itself that it is too large, or is no file; it may still be larger than it says.

    Names, sizes and types are the visitor's claims: none of them is used to decide where or how a file is kept.
    """
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form in FORMS:
        words = "the body is the file itself, not a form: curl --data-binary @a.mp4 -H 'content-type: video/mp4' URL"
        raise Refusal(status=415, words=words)
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdigit() and int(announced) > limits.upload_bytes:
        raise too_large(limits)


async def receive_file(request: Request, target: Path, limits: Limits) -> int:
    """Write the body to `target`, and give its size. Refusal for one that is empty, too large or too slow.

    What has been written of such a one is removed.
    """
    size = 0
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        with open(target, "xb") as file:
            async with contextlib.aclosing(request.stream()) as parts:
                while True:
                    part = await _in_time(anext(parts, b""), limits)
                    if not part:
                        break
                    size += len(part)
                    if size > limits.upload_bytes:
                        raise too_large(limits)
                    if clock() - began > limits.stall_seconds + size / SLOWEST:
                        raise Refusal(status=408, words="the upload is too slow")
                    file.write(part)
        if not size:
            raise Refusal(status=400, words="the file is empty, 0 bytes")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return size


async def receive_json(request: Request, limits: Limits) -> dict[str, Any]:
    """A small body as an object. Refusal for anything else."""
    body = b""
    async with contextlib.aclosing(request.stream()) as parts:
        while part := await _in_time(anext(parts, b""), limits):
            body += part
            if len(body) > MOST_JSON:
                raise Refusal(status=413, words=f"more than {MOST_JSON} bytes of JSON")
    try:
        told = json.loads(body)
    except ValueError as error:
        raise Refusal(status=400, words="the body is not JSON") from error
    if not isinstance(told, dict):
        raise Refusal(status=400, words="the body is a JSON object")
    return told


async def linger(request: Request) -> None:
    """Read on for a little, so that a visitor who is still sending gets to read what is said to them."""
    read = 0
    with contextlib.suppress(Exception):
        async with asyncio.timeout(LINGER_SECONDS), contextlib.aclosing(request.stream()) as parts:
            async for part in parts:
                read += len(part)
                if read > LINGER_BYTES:
                    return


async def _in_time(part: Any, limits: Limits) -> bytes:
    try:
        return await asyncio.wait_for(part, limits.stall_seconds)
    except TimeoutError as error:
        words = f"nothing came for {limits.stall_seconds:g} s in the middle of the request"
        raise Refusal(status=408, words=words) from error
    except ClientDisconnect as error:
        raise Refusal(status=400, words="the connection was closed in the middle of the request") from error


def clean_title(name: str) -> str:
    """What a visitor calls their file, as a title alone: one line without folders and control characters."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip()
    if len(kept) > MOST_TITLE:
        kept = f"{kept[: MOST_TITLE - 12]}…{kept[-11:]}"
    return kept or "video"
