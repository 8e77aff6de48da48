"""report.html in a real browser: nothing is asked of anybody, mistakes play, a phone and a screen reader are enough."""

import json

import pytest
import torch

from tests.browser import check_access, chromium, shoot, until
from tests.runs.scored import write_scored
from vidtok.runs.run_report import write_report
from vidtok.video.write import write_video

CLASSES = ["wave <b>", "jump", "a class with a rather long name"]


@pytest.mark.slow
def test_a_report_is_read(tmp_path):
    clip = torch.full((24, 3, 96, 128), 60, dtype=torch.uint8)
    for step, picture in enumerate(clip):
        picture[:, 30:60, 4 * step : 4 * step + 30] = 220
    generator = torch.Generator().manual_seed(0)
    truth = [index % 3 for index in range(30)]
    scores = torch.rand(30, 3, generator=generator) + 0.4 * torch.eye(3)[truth]
    scores = scores / scores.sum(dim=1, keepdim=True)
    run = tmp_path / "run"
    write_scored(run / "test", scores, [(label,) for label in truth], CLASSES, failed=[(1,)], root=tmp_path)
    for path in {row["path"] for row in json.loads((run / "test" / "results.json").read_text())["mistakes"]}:
        write_video(tmp_path / path, clip, fps=12)
    (run / "test" / "failed.csv").write_text("path,cause\nlost0.mp4,broken & gone\n")
    events: list[dict] = [{"event": "train", "step": s, "loss": 2.0 / s, "lr": 0.1} for s in range(1, 40)]
    events += [{"event": "val", "step": s, "time": 1.0, "top1": s / 60} for s in range(5, 40, 5)]
    (run / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    report = write_report(run / "test", look=lambda record: (clip[:8], 5.0, ["learned token 1"]))

    with chromium() as browser:
        page = browser.new_page()
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(report.as_uri())
        shoot(page, "report")
        videos = page.locator("video")
        assert videos.count() >= 3
        first = videos.first
        first.scroll_into_view_if_needed()
        assert first.evaluate("video => video.paused && video.currentTime === 0")
        first.hover()
        until(page, "document.querySelector('video').currentTime > 0", seconds=20)
        assert first.evaluate("video => video.videoWidth") > 100
        page.mouse.move(0, 0)
        until(page, "document.querySelector('video').paused", seconds=20)
        check_access(page)
        assert not wrong
        others = [each for each in asked if not each.startswith(("data:", "blob:")) and each != report.as_uri()]
        assert not others, "no request leaves the file"
