"""The whole of it, as a person meets it: `vidtok serve` as a process, a real browser, a fit, an accessibility check."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import check_access, chromium, shoot, until
from tests.conftest import ROOT, tool_options
from tests.infer.joined import join_clips
from tests.runs.own_clips import ENCODER, colour_model, own_clips

pytest.importorskip("uvicorn", reason="pip install 'vidtok[page]'")


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=5, frames=8)
    model = colour_model(folder / "clips", folder / "encoder.safetensors", seconds=0.8)
    model.save_pretrained(folder / "runs" / "colours" / "model")
    (folder / "tmp").mkdir()
    (folder / "samples").mkdir()
    (folder / "new").mkdir()
    clips = [(folder / "clips" / name / "p0_0.mp4", name) for name in ("red", "blue", "red")]
    join_clips(clips, folder / "samples" / "red_blue_red.mp4", fps=10.0)
    for number in range(5):
        for name in ("red", "blue"):
            shutil.copy(
                folder / "clips" / name / f"p{number % 3}_{number}.mp4", folder / "new" / f"{number}_{name}.mp4"
            )
    (folder / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"x" * 2000)
    (folder / "large.mp4").write_bytes(b"x" * 600_000)
    return folder


@pytest.fixture(scope="module")
def server(desk):
    """The command as a process, and the address that it prints."""
    options = tool_options(cwd=desk)
    env = {**options["env"], "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    words = ["runs/colours", "--samples", "samples", "--port", "0", "--upload-megabytes", "0.5", "--device", "cpu"]
    words += ["--label", "new", "--classes", "red,blue", "--fit-out", "runs/mine"]
    words += ["--encoder", f"{ENCODER}={desk / 'encoder.safetensors'}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vidtok", "serve", *words],
        cwd=desk,
        env={**env, "TMPDIR": str(desk / "tmp")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("open http"):
                yield process, line.split()[1]
                break
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_a_person_in_a_real_browser(desk, server):
    process, url = server
    with chromium() as browser:
        one, two = (browser.new_context().new_page() for _ in range(2))
        asked, wrong = [], []
        for page in (one, two):
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(url)
            page.wait_for_selector("#samples button")
        shoot(one, "start")
        looks_and_is_told(desk, one, two)
        labels_and_fits(desk, one)
        assert not wrong
        assert all(each.startswith((url, "blob:")) for each in asked), "nothing is asked of anybody else"
    assert list((desk / "tmp").glob("vidtok-page-*/*/*/film.mp4"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not list((desk / "tmp").glob("vidtok-page-*")), "nothing outlives the server"


def looks_and_is_told(desk, one, two):
    """Two people at once; a click on the timeline; a broken file and one that is too large."""
    one.set_input_files("#file", desk / "samples" / "red_blue_red.mp4")
    two.set_input_files("#file", desk / "clips" / "green" / "p0_0.mp4")
    for page in (one, two):
        until(page, "document.querySelector('#player').readyState >= 2 && document.querySelector('#progress').hidden")
    assert two.text_content("#result-title") == "green"
    assert one.text_content("#result-title") in ("red", "blue")
    assert "red_blue_red.mp4 · 2.4 s" in one.text_content("#facts")
    parts = one.locator("#timeline button")
    words = [parts.nth(place).get_attribute("aria-label") for place in range(parts.count())]
    assert sorted(each.split(",")[0] for each in words) == ["blue", "red", "red"]
    blue = next(place for place, each in enumerate(words) if each.startswith("blue"))
    start = float(words[blue].split(", ")[1].split(" s")[0])
    parts.nth(blue).focus()
    one.keyboard.press("Enter")
    until(one, f"document.querySelector('#player').currentTime >= {start}")
    before = one.evaluate("document.querySelector('#player').currentTime")
    until(one, f"document.querySelector('#player').currentTime != {before}", seconds=20)
    assert one.evaluate("document.querySelector('#player').videoWidth") > 400
    shoot(one, "result")
    check_access(one)
    one.set_input_files("#file", desk / "broken.mp4")
    until(one, "document.querySelector('#problem').textContent.includes('broken.mp4')", seconds=60)
    shoot(one, "problem")
    one.set_input_files("#file", desk / "large.mp4")
    until(one, "document.querySelector('#problem').textContent.includes('up to 0.5 MB are taken')", seconds=20)
    assert two.text_content("#result-title") == "green"


def labels_and_fits(desk, page):
    """Ten clips by two keys, a fit on them, and its model on a video."""
    page.click("text=Label")
    page.wait_for_selector("#keys button")
    until(page, "document.querySelector('#clip').readyState >= 2", seconds=60)
    for place in range(10):
        is_red = page.text_content("#clip-name").endswith("red.mp4")
        page.keyboard.press("ArrowLeft" if is_red else "ArrowRight")
        until(page, f"document.querySelector('#done').value === {place + 1}", seconds=30)
        if place == 4:
            shoot(page, "label")
    rows = (desk / "new" / "labels.csv").read_text().splitlines()
    assert rows[0] == "path,label"
    assert sorted(rows[1:]) == sorted(f"{n}_{name}.mp4,{name}" for n in range(5) for name in ("red", "blue"))
    page.click("#fit")
    until(page, "document.querySelector('#fit-state').textContent.startsWith('Done')")
    assert "fit ok: top1" in page.text_content("#fit-log")
    shoot(page, "fit")
    check_access(page)
    page.click("text=Look")
    page.select_option("#model", "mine")
    page.click("#samples button")
    until(page, "document.querySelector('#player').readyState >= 2 && document.querySelector('#progress').hidden")
    assert page.text_content("#facts").endswith("mine")
    assert page.text_content("#result-title") in ("red", "blue")
