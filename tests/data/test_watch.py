"""Workers that hang or die end the run with the name of the file, wherever the training process stands."""

import multiprocessing
import os
import signal
import sys
import threading
import time

import pytest
import torch

from vidtok.data.dataset import ClipRule, TrainViews, VideoDataset
from vidtok.data.lists import read_list
from vidtok.data.loader import EvalBatches, make_loader
from vidtok.data.watch import WatchedLoader
from vidtok.errors import ConfigError, TrainingError
from vidtok.video.write import write_video

VIEWS = TrainViews(clip=ClipRule(frames=2, stride=1), size=16, scale=(0.5, 1.0), ratio=(1.0, 1.0), flip=False)
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


def test_a_silent_worker_ends_the_run(folder):
    with pytest.raises(TrainingError, match=r"for 1 s \(data\.timeout_seconds\).*\n  \S*hangs\.mp4 \(for [01] s\)$"):
        list(loader(folder, "a", "hangs", "b", timeout_seconds=1.0))
    assert not multiprocessing.active_children()


def test_a_worker_killed_while_its_batch_is_waited_for(folder):
    watched = loader(folder, "a", "hangs")
    killer = threading.Thread(target=lambda: os.kill(reader_of(watched, folder / "hangs.mp4"), signal.SIGKILL))
    killer.start()
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"has died, while reading \S*hangs\.mp4 .*data\.workers") as raised:
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


def test_errors_of_the_dataset_stay_what_they_are(folder, monkeypatch):
    def breaks(self, *, record, epoch=0, view=None):
        raise RuntimeError(f"a mistake in the code, at {record}")

    monkeypatch.setattr(VideoDataset, "sample", breaks)
    with pytest.raises(RuntimeError, match=r"Caught RuntimeError[\s\S]*a mistake in the code, at 0") as raised:
        list(loader(folder, "a", workers=1))
    assert not isinstance(raised.value, TrainingError)


def test_a_backend_that_is_missing_is_told_before_any_worker_starts(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    (folder / "list.csv").write_text("a.mp4 0\n")
    with pytest.raises(ConfigError, match=r"data\.backend=decord: .*Linux on x86-64"):
        VideoDataset(read_list(folder / "list.csv"), views=VIEWS, backend="decord")
