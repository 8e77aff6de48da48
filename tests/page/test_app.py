"""The routes: a video in, events, the result, files; visitors are kept apart, and what cannot be is told in words."""

import threading

import pytest

pytest.importorskip("uvicorn")
from tests.page.served import FACTS, TOP, Script, Visitor, held_until, quick, served
from vidtok.page.limits import Limits


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    samples = tmp_path_factory.mktemp("samples")
    (samples / "a_b.mp4").write_bytes(b"a sample")
    with served(samples=samples, models=["runs/own/model", "runs/other"], limits=Limits(upload_megabytes=0.1)) as both:
        yield both


def test_the_page_and_its_files_are_there_and_ask_for_nothing_elsewhere(page):
    visitor, _ = page
    answer = visitor("/")
    assert answer.status == 200
    assert b"<title>vidtok</title>" in answer.body
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("page.css", "page.js", "common.js", "look.js", "label.js", "favicon.svg"):
        file = visitor(f"/{name}")
        assert file.status == 200, name
        assert b"http://" not in file.body.replace(b"http://www.w3.org/2000/svg", b""), name
        assert b"https://" not in file.body, name
    assert visitor("/guard.py").status == 404
    assert visitor("/static/../app.py").status == 404


def test_what_is_offered(page):
    visitor, _ = page
    told = visitor("/state").json
    assert told["models"] == [
        {"name": "own", "classes": ["blue", "red"]},
        {"name": "other", "classes": ["blue", "red"]},
    ]
    assert told["samples"] == ["a b"]
    assert told["limits"] == {"megabytes": 0.1, "bytes": 100_000, "seconds": 120.0, "minutes": 30.0}
    assert told["labels"] is False
    assert visitor("/labels").status == 404


def test_a_video_goes_in_and_its_result_comes_out(page):
    port, desk = page[0].port, page[1]
    visitor = Visitor(port)
    answer = visitor("/jobs?model=other&name=..%2F..%2Fetc%2Fa%20b.mp4", "POST", b"pixels")
    assert answer.status == 202
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    job = answer.json["job"]
    told = visitor.until_over(job)
    assert told["state"] == "done"
    assert (told["title"], told["model"], told["video"], told["top"]) == ("a b.mp4", "other", FACTS, TOP)
    (session,) = [each for each in desk.sessions._all.values() if job in each.jobs]
    assert (session.jobs[job].folder / "video").read_bytes() == b"pixels"
    assert session.jobs[job].folder.is_relative_to(desk.sessions.root)
    part = visitor(f"/jobs/{job}/film.mp4", range="bytes=16-31")
    assert (part.status, part.body) == (206, bytes(range(16, 32)))
    again = visitor(f"/jobs?again={job}&model=own", "POST").json["job"]
    assert visitor.until_over(again)["model"] == "own"
    assert (session.jobs[again].folder / "video").read_bytes() == b"pixels"
    assert visitor(f"/jobs/{job}", "DELETE").status == 204
    assert visitor(f"/jobs/{job}").status == 404
    assert (session.jobs[again].folder / "video").read_bytes() == b"pixels", "another one's file is its own"
    assert visitor("/session", "DELETE").status == 204
    assert not session.folder.exists()
    assert "your session has ended" in visitor(f"/jobs/{again}").error


def test_a_sample_is_looked_at_where_it_lies(page):
    visitor = Visitor(page[0].port)
    assert visitor("/samples/0").body == b"a sample"
    told = visitor.until_over(visitor("/jobs?sample=0", "POST").json["job"])
    assert (told["title"], told["model"], told["state"]) == ("a_b.mp4", "own", "done")
    for wrong in ("1", "-1", "x", "%2e%2e", "%C2%B2", "9" * 5000):
        assert visitor(f"/samples/{wrong}").status == 404, wrong
    assert visitor("/jobs?sample=1", "POST").error == "there is no such sample"


def test_nobody_sees_what_is_another_s(page):
    one, two = Visitor(page[0].port), Visitor(page[0].port)
    job = one("/jobs", "POST", b"mine").json["job"]
    other = two("/jobs", "POST", b"yours").json["job"]
    assert one.until_over(job)["state"] == two.until_over(other)["state"] == "done"
    for path, method in ((f"/jobs/{job}", "GET"), (f"/jobs/{job}/film.mp4", "GET"), (f"/jobs/{job}", "DELETE")):
        assert two(path, method).status == 404
    assert two(f"/jobs?again={job}", "POST").status == 404
    assert two(f"/jobs/{job}/events").status == 404
    assert one(f"/jobs/{job}").json["state"] == "done"


def test_what_is_no_video_of_use_is_refused_before_it_is_kept(page):
    visitor, desk = Visitor(page[0].port), page[1]
    assert visitor("/jobs", "POST", b"").error == "the file is empty, 0 bytes"
    large = visitor("/jobs", "POST", b"x" * 100_001)
    assert (large.status, large.error) == (413, "the file is larger than 0.1 MB, the most that is taken")
    form = visitor("/jobs", "POST", b"--x", content_type="multipart/form-data; boundary=x")
    assert form.status == 415
    assert "curl --data-binary" in form.error
    assert visitor("/jobs?model=none", "POST", b"x").error == "there is no model 'none'; there are: own, other"
    assert visitor("/jobs", "PUT", b"x").status == 405
    assert not list(desk.sessions.root.glob("*/*/video")) or all(
        file.stat().st_size < 100 for file in desk.sessions.root.glob("*/*/video")
    )


def test_programs_get_classes_and_leave_nothing(page):
    visitor, desk = page
    before = len(desk.sessions)
    answer = visitor("/predict?model=own&top=1", "POST", b"pixels")
    assert answer.status == 200
    assert answer.json == {"model": "own", "video": FACTS, "predictions": TOP[:1]}
    assert "set-cookie" not in answer.headers
    asked = visitor("/predict?model=own&timeline=1", "POST", b"pixels").json
    assert asked["no_timeline"] == "the video has one frame"
    assert "film" not in asked
    assert len(desk.sessions) == before
    assert visitor("/predict?top=0", "POST", b"pixels").error == "top counts from 1 to 50"
    assert visitor("/predict?top=51", "POST", b"pixels").status == 400


def test_a_failure_is_told_in_the_project_s_words_without_paths_of_the_server():
    def broken(task):
        if task["do"] != "look":
            yield from quick(task)
        else:
            yield "failed", f"{task['video']}: has no video stream"

    with served(Script(broken)) as (visitor, desk):
        told = visitor.until_over(visitor("/jobs?name=a.mp4", "POST", b"x").json["job"])
        assert (told["state"], told["error"]) == ("failed", "a.mp4: has no video stream")
        answer = visitor("/predict?name=b.mp4", "POST", b"x")
        assert (answer.status, answer.error) == (422, "b.mp4: has no video stream")
        assert not list(desk.sessions.root.glob("*/*/film.mp4"))


def test_fifty_at_once_are_answered_and_most_of_them_with_no():
    gate = threading.Event()
    with served(Script(held_until(gate)), limits=Limits(waiting=3, uploads=50)) as (visitor, desk):
        statuses: list[int] = []

        def one():
            statuses.append(Visitor(visitor.port)("/jobs", "POST", b"x" * 5000).status)

        threads = [threading.Thread(target=one) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = statuses.count(202)
        assert 3 <= taken <= 4, "three wait, and one may be at work"
        assert statuses.count(429) == 50 - taken
        late = visitor("/jobs", "POST", b"x")
        assert late.headers["retry-after"] == "20"
        assert late.error == "3 videos are waiting already; try again in a moment"
        assert len(list(desk.sessions.root.glob("*/*/video"))) == taken, "what was refused is not kept"
        assert len(desk.sessions) == taken
        gate.set()
        assert visitor("/state").status == 200


def test_positions_are_told_while_one_waits():
    gate = threading.Event()
    with served(Script(held_until(gate))) as (visitor, desk):
        jobs = [visitor("/jobs", "POST", b"x").json["job"] for _ in range(3)]
        assert [visitor(f"/jobs/{job}").json["position"] for job in jobs] == [0, 1, 2]
        assert visitor(f"/jobs/{jobs[1]}", "DELETE").status == 204
        assert visitor(f"/jobs/{jobs[2]}").json["position"] == 1
        gate.set()
        assert [told["state"] for told in visitor.events(f"/jobs/{jobs[2]}/events")][-1] == "done"
        assert desk.queue.length == 0


def test_a_session_keeps_its_newest_videos_only():
    with served(limits=Limits(kept=2)) as (visitor, desk):
        jobs = []
        for _ in range(3):
            jobs.append(visitor("/jobs", "POST", b"x").json["job"])
            visitor.until_over(jobs[-1])
        assert [visitor(f"/jobs/{job}").status for job in jobs] == [404, 200, 200]
        assert len(list(desk.sessions.root.glob("*/*/video"))) == 2
