"""A fit in a process of its own: what it is told, how it stands, what its log says, and that all of it ends."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from vidtok.page.fits import Fits
from vidtok.page.limits import Refusal

COMMAND = """
import json, os, signal, subprocess, sys, time
told = {"arguments": sys.argv[1:], "unbuffered": os.environ.get("PYTHONUNBUFFERED"), "read": sys.stdin.read(),
        "leads": os.getsid(0) == os.getpid(), "kept": os.environ.get("KEPT")}
if "--log" in sys.argv:
    sys.stdout.buffer.write(open(sys.argv[sys.argv.index("--log") + 1], "rb").read())
    sys.exit(0)
print(json.dumps(told))
print("a warning", file=sys.stderr)
if "--fail" in sys.argv:
    sys.exit(1)
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--wait" in sys.argv:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(json.dumps({"pid": os.getpid(), "child": child.pid}))
    time.sleep(60)
"""
"""Stands in for `python -m vidtok`: it says what it was told, and does what the last option says."""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Fits of a list in tmp_path, with further options; what is at work when the test ends is killed."""
    (tmp_path / "vidtok.py").write_text(COMMAND)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    monkeypatch.chdir(tmp_path)
    made = list[Fits]()

    def one(*options: str, out: Path = Path("runs/mine")) -> Fits:
        root = tmp_path / "clips"
        made.append(Fits(source=root / "labels.csv", root=root, out=out, log=tmp_path / "fit.log", options=options))
        return made[-1]

    yield one
    for fits in made:
        if fits._process is not None and fits._process.poll() is None:
            os.killpg(fits._process.pid, signal.SIGKILL)
            fits._process.wait()
        fits._close()


def over(fits: Fits) -> Fits:
    """When its process has ended, which is waited for behind its back."""
    assert fits._process is not None
    fits._process.wait(20)
    return fits


def lines(fits: Fits, count: int) -> list[str]:
    """What the log says, as soon as it has as many lines."""
    until = time.monotonic() + 20
    while (text := fits.told()["log"]).count("\n") < count:
        assert time.monotonic() < until, text
        time.sleep(0.01)
    return text.splitlines()


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be asked about it does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_fit_is_told_the_list_and_ends_well(make, tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "as it was")
    fits = make("--encoder", "small")
    assert fits.told() == {"state": "none", "log": "", "next": 0, "run": "runs/mine"}
    fits.start()
    assert over(fits).take_done() == [Path("runs/mine")], "without that its state was asked for"
    assert fits.state == "done"
    assert fits.take_done() == [], "each is told once"
    said = [line for line in fits.log.read_text().splitlines() if line != "a warning"]
    root = str(tmp_path / "clips")
    assert [json.loads(line) for line in said] == [
        {
            "arguments": [
                *("fit", f"{root}/labels.csv", "--out", "runs/mine", "--root", root, "--format", "csv"),
                *("--encoder", "small"),
            ],
            "unbuffered": "1",  # so that the page has each line when it is said
            "read": "",  # it cannot wait for the server's console
            "leads": True,
            "kept": "as it was",
        }
    ]
    assert "a warning" in fits.log.read_text().splitlines(), "errors stand in the log as well"


def test_a_fit_that_fails_leaves_no_model(make):
    fits = make("--fail")
    fits.start()
    over(fits)
    assert fits.told()["state"] == "failed"
    assert fits.take_done() == []
    fits.options = []
    fits.start()
    assert over(fits).state == "done", "and may be tried again"
    assert fits.log.read_text().count("arguments") == 1, "its log is that of the last try"


def test_one_fit_at_a_time(make):
    fits = make("--wait")
    fits.start()
    process = fits._process
    with pytest.raises(Refusal, match="a fit is at work already; wait for its end, or stop it") as refused:
        fits.start()
    assert refused.value.status == 409
    assert fits._process is process
    assert fits.state == "running"


def test_a_fit_that_takes_too_long_is_ended_though_nobody_looks(make):
    fits = make("--wait")
    fits.most_minutes = 1 / 60
    fits.start()
    assert over(fits)._process.returncode == -signal.SIGTERM
    until = time.monotonic() + 10
    while "ended:" not in fits.log.read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    told = fits.told()
    assert told["state"] == "failed"
    assert told["log"].endswith("ended: it took longer than 0.0166667 minutes, the most of a fit\n")
    fits.options, fits.most_minutes = [], 0.02
    fits.start()
    assert over(fits).state == "done"
    time.sleep(1.5)
    assert "ended:" not in fits.log.read_text(), "one that has ended by itself is not told that it was"
    assert make().most_minutes == 240


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux whether a process is there")
def test_a_fit_is_stopped_with_all_its_processes(make):
    fits = make("--wait")
    fits.start()
    pids = json.loads(next(line for line in lines(fits, 3) if "pid" in line))
    assert is_there(pids["pid"])
    assert is_there(pids["child"])
    fits.stop()
    assert fits.state == "stopped"
    until = time.monotonic() + 10
    while is_there(pids["child"]) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_there(pids["pid"])
    assert not is_there(pids["child"])
    assert fits.take_done() == []
    assert fits._file is None, "nothing of it stays open"


def test_a_fit_that_does_not_heed_is_killed_after_five_seconds(make, monkeypatch):
    fits = make("--wait", "--stubborn")
    fits.start()
    lines(fits, 3)
    waited, wait = list[float | None](), subprocess.Popen.wait

    def soon(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        waited.append(timeout)
        return wait(process, None if timeout is None else 0.2)

    monkeypatch.setattr(subprocess.Popen, "wait", soon)
    fits.stop()
    assert waited == [5.0, None]
    assert fits._process.returncode == -signal.SIGKILL
    assert fits.state == "stopped"


def test_stopping_what_is_not_at_work_changes_nothing(make):
    fits = make()
    fits.stop()
    assert fits.state == "none"
    fits.start()
    over(fits)
    fits.stop()
    assert fits.state == "done"


def test_the_log_is_told_in_parts_without_the_folder(make, tmp_path):
    words = f"{tmp_path}/clips/a.mp4: cannot be decoded, {tmp_path}/clips is read\n".encode() + b"\xe9\xff\n"
    shown = f"a.mp4: cannot be decoded, {tmp_path}/clips is read\n\ufffd\ufffd\n"
    (tmp_path / "words").write_bytes(words + b"x" * 65_536)
    fits = make("--log", str(tmp_path / "words"), out=Path("runs/caf\udce9"))
    fits.start()
    over(fits)
    first = fits.told()
    assert first == {
        "state": "done",
        "log": shown + "x" * (65_536 - len(shown)),
        "next": 65_536,
        "run": "runs/caf\\udce9",
    }
    rest = fits.told(first["next"])
    assert rest["log"] == "x" * len(shown)
    assert rest["next"] == 65_536 + len(shown)
    assert fits.told(rest["next"])["log"] == ""
    assert fits.told(rest["next"])["next"] == rest["next"]
