"""The routes of labelling: clips, their classes, and fits on them. They answer where `vidtok serve` got a folder."""

import asyncio
import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from vidtok.page.desk import Desk
from vidtok.page.events import events
from vidtok.page.fits import Fits
from vidtok.page.jobs import Job
from vidtok.page.labels import LabelSet
from vidtok.page.limits import Refusal
from vidtok.page.upload import receive_json

PLAYED: Mapping[str, str] = MappingProxyType(
    {
        ".mp4": "video/mp4",
        ".m4v": "video/mp4",
        ".webm": "video/webm",
        ".ogv": "video/ogg",
        ".mov": "video/quicktime",
    }
)
"""Endings of files that browsers play, as a rule; others, and those that they do not, get a preview."""


def label_routes() -> list[Route]:
    return [
        Route("/labels", get_labels),
        Route("/labels/classes", put_classes, methods=["PUT"]),
        Route("/labels/{clip:int}", put_label, methods=["PUT"]),
        Route("/labels/{clip:int}/video", clip_video),
        Route("/labels/{clip:int}/preview.mp4", clip_preview),
        Route("/fit", start_fit, methods=["POST"]),
        Route("/fit", stop_fit, methods=["DELETE"]),
        Route("/fit/events", fit_events),
    ]


def labelling(request: Request) -> tuple[Desk, LabelSet, Fits]:
    desk: Desk = request.app.state.desk
    if desk.labels is None or desk.fits is None:
        raise Refusal(status=404, words="there are no clips to label here: start the server with --label FOLDER")
    return desk, desk.labels, desk.fits


def clip_of(request: Request) -> tuple[Desk, LabelSet, int]:
    desk, labels, _ = labelling(request)
    clip = request.path_params["clip"]
    if clip >= len(labels.names):
        raise Refusal(status=404, words="there is no such clip")
    return desk, labels, clip


async def get_labels(request: Request) -> Response:
    _, labels, fits = labelling(request)
    return JSONResponse({**labels.told(), "fit": fits.state})


async def put_classes(request: Request) -> Response:
    """`{"classes": [...]}`: the names, in the order of their keys."""
    desk, labels, _ = labelling(request)
    told = await receive_json(request, desk.limits)
    classes = told.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise Refusal(status=400, words='expected {"classes": ["name", …]}')
    labels.set_classes(classes)
    return JSONResponse(labels.told())


async def put_label(request: Request) -> Response:
    """`{"label": NAME}` or `{"label": null}`; it is in the list when this is answered."""
    desk, labels, clip = clip_of(request)
    told = await receive_json(request, desk.limits)
    label = told.get("label", "")
    if label is not None and not isinstance(label, str):
        raise Refusal(status=400, words='expected {"label": "name"}, or null')
    labels.put(clip, label)
    return JSONResponse(labels.told())


async def clip_video(request: Request) -> Response:
    _, labels, clip = clip_of(request)
    path = labels.folder / labels.names[clip]
    if path.suffix.lower() not in PLAYED:
        raise Refusal(status=415, words="browsers do not play this file; its preview is beside it")
    return FileResponse(path, media_type=PLAYED[path.suffix.lower()])


async def clip_preview(request: Request) -> Response:
    """The beginning of a clip in a form that every browser plays, made when it is asked for first."""
    desk, labels, clip = clip_of(request)
    job = desk.previews.get(clip)
    if job is None or job.state in ("failed", "dropped"):
        folder = desk.sessions.root / f"preview-{clip}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        video = labels.folder / labels.names[clip]
        job = Job(
            task={"do": "preview", "video": str(video), "film": str(folder / "film.mp4")},
            title=labels.told()["clips"][clip]["name"],
            folder=folder,
        )
        desk.queue.put(job)
        desk.previews[clip] = job
    while not job.is_over and not desk.queue.is_closing:
        await asyncio.sleep(0.05)
    if job.state != "done":
        raise Refusal(status=422, words=job.error or "the server is going down")
    return FileResponse(job.folder / "film.mp4", media_type="video/mp4")


async def start_fit(request: Request) -> Response:
    _, labels, fits = labelling(request)
    if not labels.used:
        raise Refusal(status=409, words="no clip has a class yet")
    fits.start()
    return JSONResponse(fits.told(), status_code=202)


async def stop_fit(request: Request) -> Response:
    _, _, fits = labelling(request)
    await asyncio.to_thread(fits.stop)
    return JSONResponse(fits.told())


async def fit_events(request: Request) -> Response:
    """The log as it grows, and the state. Every event has what came since the last one, and where in the log it is."""
    desk, _, fits = labelling(request)
    at = 0

    def now() -> tuple[dict[str, Any], bool]:
        nonlocal at
        told = {**fits.told(at), "start": at}
        is_end = told["state"] != "running" and not told["log"]
        at = told["next"]
        if is_end:
            desk.end_fit()
        return told, is_end or desk.queue.is_closing

    return events(desk.sessions, None, now)
