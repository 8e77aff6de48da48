"""Stands in for the checking and the preparing of a video: some files kill the process, others stop it."""

import faulthandler
import os
import signal
import time
from pathlib import Path
from typing import Any

from vidtok.video.check import VideoFacts, check_video
from vidtok.video.prepare import Prepared, part_file, prepare_video


def deadly(path: Path, **options: Any) -> VideoFacts:
    if path.name == "kills.mp4":
        faulthandler.disable()  # this crash is meant; no stack of it among the tests' lines
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name == "hangs.mp4":
        time.sleep(600)
    return check_video(path, **options)


def deadly_to_write(source: Path, target: Path, **options: Any) -> Prepared:
    if source.name in ("kills.mp4", "hangs.mp4"):
        target.parent.mkdir(parents=True, exist_ok=True)
        part_file(target, process=os.getpid()).write_text("half")
        deadly(source)
    return prepare_video(source, target, **options)
