"""A real browser for the pages: where it is, pictures to be looked at, and what has to hold for each page."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import pytest

CHROMIUM = next((path for name in ("chromium-headless-shell", "chromium") if (path := shutil.which(name))), None)
SHOTS = os.environ.get("VIDTOK_SHOTS")
"""A folder for pictures of the pages, to be looked at."""
HAS_AXE = find_spec("axe_playwright_python") is not None


@contextmanager
def chromium() -> Iterator[Any]:
    """Headless; the test is skipped, saying what is missing, where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium-headless-shell")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def until(page, condition: str, *, seconds: float = 240.0):
    """Wait for an expression; the served page's own policy lets nobody leave a script in it."""
    end = time.monotonic() + seconds
    while not (found := page.evaluate(condition)):
        problem = page.evaluate("document.querySelector('#problem')?.textContent")
        assert time.monotonic() < end, f"{condition} did not come; the page says {problem!r}"
        time.sleep(0.1)
    return found


def shoot(page, name: str):
    """Desktop and phone, light and dark."""
    if SHOTS is None:
        return
    for width, height in ((1280, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{SHOTS}/{name}_{width}_{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


def check_access(page):
    """axe-core finds nothing serious, in light and in dark, and nothing is wider than a phone."""
    axe = files("axe_playwright_python") / "axe.min.js" if HAS_AXE else None
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        if axe is not None:
            page.evaluate(axe.read_text(encoding="utf-8"))
            found = page.evaluate("axe.run().then(told => told.violations)")
            serious = [
                (each["id"], [node["html"][:150] for node in each["nodes"]])
                for each in found
                if each["impact"] in ("serious", "critical")
            ]
            assert not serious
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 900})
