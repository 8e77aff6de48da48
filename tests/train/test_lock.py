"""One run in a folder at a time, whatever became of the one before."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vidtok.errors import TrainingError
from vidtok.train import lock
from vidtok.train.lock import locked

HOLDER = """
import os, sys, time
from pathlib import Path
from vidtok.train.lock import locked
with locked(Path(sys.argv[1])):
    child = os.fork()  # as a worker of the data loader that outlives its training process
    if child:
        print(os.getpid(), child, flush=True)
    time.sleep(60)
"""


def test_another_process_is_kept_out_until_the_first_is_dead(tmp_path):
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        process, child = map(int, holder.stdout.readline().split())
        try:
            with pytest.raises(TrainingError, match=rf"another run is at work in this folder \(process {process} on"):
                with locked(folder):
                    pass
            holder.kill()
            holder.wait()
            with locked(folder):
                assert (folder / lock.NAME).read_text().startswith(f"process {os.getpid()} on ")
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_process_may_come_again(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            pass


def test_file_systems_without_locks_keep_nobody_out(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(lock.fcntl, "lockf", refuse)
    code, entered = errno.ENOLCK, False
    with locked(tmp_path):
        entered = True
    assert entered
    code = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_is_said_in_one_message(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for folder, why in (
        (tmp_path / "file", "it is a file"),
        (tmp_path / "file" / "a" / "b", f"{tmp_path}/file is a file"),
    ):
        with pytest.raises(TrainingError, match=f"{folder}: this cannot be a run's folder: {why}, no folder") as error:
            with locked(folder):
                pass
        assert "Give another `folder`" in str(error.value)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(TrainingError, match="cannot be a run's folder: Permission denied"), locked(tmp_path / "new"):
        pass
