"""Workers that hang or die end the run with the name of the file, wherever the training process stands."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from vidtok.data.buffers import WorkerBuffers
from vidtok.data.dataset import VideoDataset
from vidtok.data.lists import read_list
from vidtok.data.loader import EvalBatches, make_loader
from vidtok.data.views import ResizedCrop, TrainViews
from vidtok.data.watch import WatchedLoader
from vidtok.errors import ConfigError, TrainingError
from vidtok.video.protocols import ClipRule
from vidtok.video.write import write_video

CROP = ResizedCrop(scale=(0.5, 1.0), ratio=(1.0, 1.0))
VIEWS = TrainViews(clip=ClipRule(frames=2, stride=1), size=16, crop=CROP, flip=False)
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe stands for a video that hangs")


@pytest.fixture
def folder(tmp_path):
    """Three videos, and a pipe that nobody writes to: opening it waits for ever inside of the decoder."""
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", torch.zeros(9, 3, 32, 32, dtype=torch.uint8), fps=25)
    os.mkfifo(tmp_path / "hangs.mp4")
    return tmp_path


def loader(folder, *names, workers=2, timeout_seconds=60.0) -> WatchedLoader:
    (folder / "list.csv").write_text("".join(f"{name}.mp4 0\n" for name in names))
    records = read_list(folder / "list.csv")
    batches = EvalBatches(records=len(records), batch=1)
    dataset = VideoDataset(records, views=VIEWS)
    made = make_loader(dataset, batches, workers=workers, timeout_seconds=timeout_seconds)
    assert isinstance(made, WatchedLoader)
    return made


def reader_of(watched: WatchedLoader, path) -> int:
    """The process that reads this file, waited for."""
    for _ in range(600):
        found = [process for process, file, _ in watched._reading() if file == path]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"nobody reads {path}")


def kill_and_compute(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    for _ in range(100):
        time.sleep(0.1)


def test_batches_come_in_order_and_the_signal_handler_is_put_back(folder):
    before = signal.getsignal(signal.SIGCHLD)
    batches = list(loader(folder, "a", "b", "c", "a"))
    assert [batch.video_ids for batch in batches] == [("a.mp4",), ("b.mp4",), ("c.mp4",), ("a.mp4",)]
    after = signal.getsignal(signal.SIGCHLD)
    assert after is before or "_set_SIGCHLD_handler" in getattr(after, "__qualname__", "")


def test_two_loops_at_a_time_do_not_write_into_each_others_batches(folder):
    levels = [20 * step for step in range(12)]
    for level in levels:
        write_video(folder / f"{level}.mp4", torch.full((9, 3, 32, 32), level, dtype=torch.uint8), fps=25)
    watched = loader(folder, *levels)
    kept = [batch for pair in zip(watched, watched, strict=True) for batch in pair]
    assert len(kept) == 2 * len(levels)
    for batch in kept:
        assert batch.views.float().mean().item() == pytest.approx(levels[batch.indices[0]], abs=5)


def test_a_silent_worker_ends_the_run(folder):
    with pytest.raises(TrainingError, match=r"for 1 s \(`timeout_seconds`\).*\n  \S*hangs\.mp4 \(for [01] s\)$"):
        list(loader(folder, "a", "hangs", "b", timeout_seconds=1.0))
    assert not multiprocessing.active_children()


def test_a_worker_killed_while_its_batch_is_waited_for(folder):
    watched = loader(folder, "a", "hangs")
    killer = threading.Thread(target=lambda: os.kill(reader_of(watched, folder / "hangs.mp4"), signal.SIGKILL))
    killer.start()
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"has died, while reading \S*hangs\.mp4 .*`workers`") as raised:
        list(watched)
    killer.join()
    assert "a.mp4" not in str(raised.value)
    assert time.monotonic() - started < 30


def test_a_worker_killed_while_the_network_computes(folder):
    watched = loader(folder, "a", "hangs")
    batches = iter(watched)
    next(batches)
    process = reader_of(watched, folder / "hangs.mp4")
    with pytest.raises(TrainingError, match=r"has died, while reading \S*hangs\.mp4 \("):
        kill_and_compute(process)


def test_a_worker_killed_between_two_videos(folder):
    watched = loader(folder, "a", workers=1)
    batches = iter(watched)
    next(batches)
    with pytest.raises(TrainingError, match="has died, between two videos"):
        kill_and_compute(int(watched._notes[0, 0]))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_death_whose_error_is_lost_is_told_with_the_next_batch(folder):
    """Errors are ignored while an object is taken down, also those of a signal that comes meanwhile."""
    watched = loader(folder, "a", "hangs", workers=1)
    batches = iter(watched)
    next(batches)

    class TakenDown:
        def __del__(self):
            kill_and_compute(reader_of(watched, folder / "hangs.mp4"))

    thing = TakenDown()
    del thing
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"has died, while reading \S*hangs\.mp4 \(exit code -9\)"):
        next(batches)
    assert time.monotonic() - started < 2


def test_a_death_while_nobody_listens(folder):
    """As while the workers of another loop are ended, whose deaths are meant."""
    watched = loader(folder, "a", "hangs", workers=1)
    batches = iter(watched)
    next(batches)
    process = reader_of(watched, folder / "hangs.mp4")
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        os.kill(process, signal.SIGKILL)
        while process in {each.pid for each in multiprocessing.active_children()}:
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGCHLD, before)
    with pytest.raises(TrainingError, match=r"has died, while reading \S*hangs\.mp4 \(exit code -9\)"):
        next(batches)


def test_outside_of_the_main_thread_a_death_is_seen_soon(folder):
    """No signal tells it there."""
    watched, told = loader(folder, "a", "hangs"), []

    def read():
        try:
            list(watched)
        except TrainingError as error:
            told.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    process = reader_of(watched, folder / "hangs.mp4")
    time.sleep(0.5)
    os.kill(process, signal.SIGKILL)
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert len(told) == 1
    assert "hangs.mp4" in told[0]
    assert "has died" in told[0]


class DyingHandOver:
    """In the place of torch's loader: a worker whose connection breaks just before it is seen to be dead."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __iter__(self):
        multiprocessing.Process(target=time.sleep, args=(self.seconds,)).start()
        return self

    def __next__(self):
        raise ConnectionResetError(104, "Connection reset by peer")


def test_a_worker_killed_while_it_hands_over_its_batch(folder):
    watched = loader(folder, "a", workers=1)
    watched._make_loader = lambda collate_fn: DyingHandOver(0.2)
    with pytest.raises(TrainingError, match=r"has died, between two videos \(ConnectionResetError"):
        list(watched)
    watched._make_loader = lambda collate_fn: DyingHandOver(60.0)
    with pytest.raises(ConnectionResetError):
        list(watched)
    assert not multiprocessing.active_children()


def test_a_sigterm_to_all_processes_leaves_the_workers_at_work(folder):
    watched = loader(folder, "a", *["b", "c"] * 10)
    batches = iter(watched)
    next(batches)
    for process in watched._notes[:, 0].tolist():
        os.kill(process, signal.SIGTERM)
    assert len(list(batches)) == 20


def test_a_worker_that_hangs_does_not_outlive_the_loop(folder):
    watched = loader(folder, "a", "hangs")
    batches = iter(watched)
    next(batches)
    reader_of(watched, folder / "hangs.mp4")
    batches.close()
    assert not multiprocessing.active_children()


UNCAUGHT = """
import sys, torch
sys.path.insert(0, sys.argv[2])
from vidtok.data.dataset import VideoDataset
from vidtok.data.lists import read_list
from vidtok.data.loader import EvalBatches, make_loader
from vidtok.data.views import ResizedCrop, TrainViews
from vidtok.video.protocols import ClipRule

if __name__ == "__main__":
    records = read_list(sys.argv[1])
    crop = ResizedCrop(scale=(0.5, 1.0), ratio=(1.0, 1.0))
    views = TrainViews(clip=ClipRule(frames=2, stride=1), size=16, crop=crop, flip=False)
    dataset, batches = VideoDataset(records, views=views), EvalBatches(records=len(records), batch=1)
    for batch in make_loader(dataset, batches, workers=2, timeout_seconds=60.0):
        raise ArithmeticError("nobody catches this")
"""


def test_an_error_that_nobody_catches_does_not_wait_for_the_workers(folder):
    (folder / "list.csv").write_text("".join(f"{name}.mp4 0\n" for name in ("a", "hangs", "b", "c")))
    (folder / "script.py").write_text(UNCAUGHT)
    # Without the ends of the workers it would not come to an end at all.
    command = [sys.executable, folder / "script.py", folder / "list.csv", os.getcwd()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("nobody catches this"), done.stderr


def test_errors_of_the_dataset_stay_what_they_are(folder, monkeypatch):
    def breaks(self, *, record, epoch=0, view=None, size=None):
        raise RuntimeError(f"a mistake in the code, at {record}")

    monkeypatch.setattr(VideoDataset, "sample", breaks)
    with pytest.raises(RuntimeError, match=r"Caught RuntimeError[\s\S]*a mistake in the code, at 0") as raised:
        list(loader(folder, "a", workers=1))
    assert not isinstance(raised.value, TrainingError)


def test_a_backend_that_is_missing_is_told_before_any_worker_starts(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    (folder / "list.csv").write_text("a.mp4 0\n")
    with pytest.raises(ConfigError, match=r"`backend`=decord: .*Linux on x86-64"):
        VideoDataset(read_list(folder / "list.csv"), views=VIEWS, backend="decord")


@pytest.mark.parametrize("words", ["unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left", ""])
def test_shared_memory_that_is_used_up_is_explained(folder, monkeypatch, words):
    def full(self, shape):
        if words:
            raise RuntimeError(words)
        os.kill(os.getpid(), signal.SIGBUS)

    monkeypatch.setattr(WorkerBuffers, "empty", full)
    with pytest.raises(TrainingError, match=r"shared memory .* 2 workers need .* --shm-size=1m; fewer `workers`"):
        list(loader(folder, "a", "b", "c"))


SMALL = """
import sys
from pathlib import Path
from vidtok.data.dataset import VideoDataset
from vidtok.data.lists import read_list
from vidtok.data.loader import EvalBatches, make_loader
from vidtok.data.views import TestViews
from vidtok.data import buffers, loader
from vidtok.video.protocols import ClipRule
if sys.argv[2] == "unaware":
    loader.fitting_workers = lambda wanted, **_: (wanted, "")
records = read_list(Path(sys.argv[1]))
views = TestViews(clip=ClipRule(frames=64, stride=1), size=512, short_side=512, clips=1, crops=1)
for batch in make_loader(VideoDataset(records, views=views), EvalBatches(records=3, batch=1), workers=2, warn=print):
    print(tuple(batch.views.shape), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("aware", ["aware", "unaware"])
def test_a_container_with_docker_s_64_mb(folder, aware):
    mount = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"',
    ]
    if subprocess.run([*mount, "sh", "true"], capture_output=True).returncode:
        pytest.skip("a small /dev/shm needs the right to mount one")
    (folder / "list.csv").write_text("a.mp4 0\nb.mp4 0\nc.mp4 0\n")
    (folder / "script.py").write_text(SMALL)
    command = [*mount, "sh", sys.executable, str(folder / "script.py"), str(folder / "list.csv"), aware]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    if aware == "aware":
        assert done.returncode == 0, done.stderr
        assert "has 64 MB left, and 2 workers need 288 MB" in done.stdout
        assert done.stdout.count("(1, 1, 64, 3, 512, 512)") == 3
    else:
        assert "TrainingError: shared memory (/dev/shm)" in done.stderr
