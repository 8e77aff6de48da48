"""The routes: the page and its files, videos to be looked at, what becomes of them, and /predict for programs."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from vidtok.errors import VidtokError
from vidtok.page.desk import Desk, Offered
from vidtok.page.events import events
from vidtok.page.guard import cookie
from vidtok.page.jobs import Job
from vidtok.page.label_routes import label_routes
from vidtok.page.limits import Refusal, too_busy
from vidtok.page.sessions import Session
from vidtok.page.upload import check_announced, clean_title, linger, receive_file

STATIC = Path(__file__).parent / "static"
FILES = MappingProxyType(
    {
        "/": ("index.html", "text/html; charset=utf-8"),
        "/page.css": ("page.css", "text/css; charset=utf-8"),
        "/page.js": ("page.js", "text/javascript; charset=utf-8"),
        "/common.js": ("common.js", "text/javascript; charset=utf-8"),
        "/look.js": ("look.js", "text/javascript; charset=utf-8"),
        "/label.js": ("label.js", "text/javascript; charset=utf-8"),
        "/favicon.svg": ("favicon.svg", "image/svg+xml"),
    }
)
SWEEP_SECONDS = 5.0
MOST_TOP = 50


def make_app(desk: Desk) -> Starlette:
    """What answers; `Guard` stands before it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(sweep(desk))
        yield
        sweeper.cancel()

    routes = [
        *(Route(path, static_file) for path in FILES),
        Route("/state", state),
        Route("/jobs", post_job, methods=["POST"]),
        Route("/jobs/{job}", get_job),
        Route("/jobs/{job}", drop_job, methods=["DELETE"]),
        Route("/jobs/{job}/events", job_events),
        Route("/jobs/{job}/film.mp4", film),
        Route("/samples/{sample}", sample_file),
        Route("/session", end_session, methods=["DELETE"]),
        Route("/predict", predict, methods=["POST"]),
        *label_routes(),
    ]
    handlers: Any = {Refusal: refuse, VidtokError: refuse, HTTPException: refuse}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.state.desk = desk
    return app


async def sweep(desk: Desk) -> None:
    """What is over goes without anybody asking."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        desk.sessions.sweep()
        desk.end_fit()


async def refuse(request: Request, error: Exception) -> Response:
    """In words, as JSON; a visitor who is still sending is heard for a moment longer, so that they read it."""
    status, headers = 400, {}
    if isinstance(error, Refusal):
        status, headers = error.status, dict(error.headers)
    elif isinstance(error, HTTPException):
        status, headers = error.status_code, dict(error.headers or {})
    words = error.detail if isinstance(error, HTTPException) else str(error)
    if request.method not in ("GET", "HEAD"):
        await linger(request)
        headers["connection"] = "close"
    return JSONResponse({"error": words}, status_code=status, headers=headers)


def desk_of(request: Request) -> Desk:
    return request.app.state.desk


async def static_file(request: Request) -> Response:
    name, kind = FILES[request.url.path]
    return FileResponse(STATIC / name, media_type=kind, headers={"cache-control": "no-cache"})


async def state(request: Request) -> Response:
    desk = desk_of(request)
    desk.end_fit()
    return JSONResponse(desk.told())


def cookie_name(request: Request) -> str:
    """With the port: a browser sends the cookies of one server of this machine to all of them."""
    server = request.scope.get("server")
    return f"vidtok_session_{server[1] if server else 0}"


def session_of(request: Request) -> Session | None:
    return desk_of(request).sessions.find(cookie(request.headers, cookie_name(request)))


def job_of(request: Request) -> tuple[Session, Job]:
    """Refusal where it is none of this session's, whoever's it is."""
    session = session_of(request)
    job = session.jobs.get(request.path_params["job"]) if session is not None else None
    if session is None or job is None:
        raise Refusal(status=404, words="this video is not here any more: your session has ended; drop it again")
    return session, job


def told(desk: Desk, job: Job) -> dict[str, Any]:
    return job.told(position=desk.queue.position(job))


async def post_job(request: Request) -> Response:
    """A video as the body, `?sample=0`, or `?again=JOB`; with `model` and, for a body, `name`. The job, as JSON."""
    desk, asked = desk_of(request), request.query_params
    desk.end_fit()
    model = desk.model(asked.get("model"))
    old = None
    if "again" not in asked and "sample" not in asked:
        check_announced(request, desk.limits)
    desk.queue.check_room()
    session = session_of(request)
    if "again" in asked:
        old = session.jobs.get(asked["again"]) if session is not None else None
        if old is None:
            raise Refusal(status=404, words="this video is not here any more: your session has ended; drop it again")
    is_new = session is None
    session = session or desk.sessions.open()
    try:
        job = await new_job(request, desk, session, model, old)
        enter(desk, session, job)
    except BaseException:
        if is_new:  # its visitor does not even know of it
            desk.sessions.end(session)
        raise
    answer = JSONResponse(told(desk, job), status_code=202)
    answer.set_cookie(cookie_name(request), session.key, httponly=True, samesite="strict", path="/")
    return answer


async def new_job(request: Request, desk: Desk, session: Session, model: Offered, old: Job | None) -> Job:
    """A sample's, the one of `old` once more, or that of the body."""
    asked = request.query_params
    desk.sessions.make_room(session, spare=old)
    if "sample" in asked:
        path = desk.sample(asked["sample"])
        return desk.new_job(session, model, title=path.name, video=path)
    if old is None:
        job = desk.new_job(session, model, title=clean_title(asked.get("name", "")), video=None)
        await receive(request, desk, session, job)
        return job
    video = Path(old.task["video"])
    job = desk.new_job(session, model, title=old.title, video=None if video.parent == old.folder else video)
    if video.parent == old.folder:
        os.link(video, job.task["video"])  # the old one may go before
        job.upload_bytes = old.upload_bytes
    return job


async def receive(request: Request, desk: Desk, session: Session, job: Job) -> None:
    """The body into the job's folder, which goes where that fails."""
    if desk.uploads >= desk.limits.uploads:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise too_busy(f"{desk.uploads} uploads are coming in already")
    desk.uploads += 1
    try:
        with desk.sessions.visit(session):
            job.upload_bytes = await receive_file(request, Path(job.task["video"]), desk.limits)
    except BaseException:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    finally:
        desk.uploads -= 1


def enter(desk: Desk, session: Session, job: Job) -> None:
    """Into the queue; a job that finds no room leaves nothing."""
    try:
        if not desk.sessions.is_open(session):
            raise Refusal(status=410, words="your session has ended meanwhile")
        desk.queue.put(job)
    except Refusal:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    session.jobs[job.key] = job


async def get_job(request: Request) -> Response:
    return JSONResponse(told(desk_of(request), job_of(request)[1]))


async def drop_job(request: Request) -> Response:
    session, job = job_of(request)
    desk_of(request).sessions.remove(session, job)
    return Response(status_code=204)


async def job_events(request: Request) -> Response:
    desk = desk_of(request)
    session, job = job_of(request)

    def now() -> tuple[dict[str, Any], bool]:
        return told(desk, job), job.is_over or desk.queue.is_closing

    return events(desk.sessions, session, now)


async def film(request: Request) -> Response:
    _, job = job_of(request)
    if "film" not in job.result:
        raise Refusal(status=404, words="there is no attention video of this")
    return FileResponse(job.folder / "film.mp4", media_type="video/mp4")


async def sample_file(request: Request) -> Response:
    return FileResponse(desk_of(request).sample(request.path_params["sample"]))


async def end_session(request: Request) -> Response:
    session = session_of(request)
    if session is not None:
        desk_of(request).sessions.end(session)
    answer = Response(status_code=204)
    answer.delete_cookie(cookie_name(request), path="/")
    return answer


async def predict(request: Request) -> Response:
    """The classes of the video that is the body, when they are known. Nothing stays. `?model=NAME&top=5&timeline=1`."""
    desk, asked = desk_of(request), request.query_params
    desk.end_fit()
    model, top = desk.model(asked.get("model")), asked.get("top", "5")
    if not (top.isascii() and top.isdigit() and 1 <= int(top[:4]) <= MOST_TOP):
        raise Refusal(status=400, words=f"top counts from 1 to {MOST_TOP}")
    check_announced(request, desk.limits)
    desk.queue.check_room()
    session = desk.sessions.open()
    try:
        desk.sessions.make_room(session)
        job = desk.new_job(session, model, title=clean_title(asked.get("name", "")), video=None, film=False)
        job.task = {**job.task, "top": int(top), "timeline": asked.get("timeline", "0") not in ("0", "")}
        await receive(request, desk, session, job)
        enter(desk, session, job)
        with desk.sessions.visit(session):
            await until_over(request, desk, [job])
        if job.state != "done":
            raise Refusal(status=422, words=job.error or "the server is going down")
        kept = {key: job.result[key] for key in ("model", "video", "timeline", "no_timeline") if key in job.result}
        return JSONResponse({**kept, "predictions": job.result["top"]})
    finally:
        desk.sessions.end(session)


async def until_over(request: Request, desk: Desk, jobs: Sequence[Job]) -> None:
    """Wait, as long as somebody is there to hear of it."""
    while not all(job.is_over for job in jobs) and not desk.queue.is_closing:
        await asyncio.sleep(0.05)
        if await request.is_disconnected():
            raise Refusal(status=499, words="nobody is there any more")
