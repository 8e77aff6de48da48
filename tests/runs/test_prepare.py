"""The command that prepares: videos, lists, what is left of a run that was stopped, what is refused."""

import csv
import inspect
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import av
import pytest

from tests.conftest import tool_command, tool_options
from tests.runs import checking
from tests.runs.commands import asks_for_the_defaults
from tests.video.clips import GROUPS, make_clip, read_numbers
from vidtok.cli import prepare as prepare_videos
from vidtok.data.lists import read_list
from vidtok.errors import ConfigError, DataError
from vidtok.runs.each_file import Done
from vidtok.runs.prepare import final_row, is_finished, prepare_row, run_prepare, sizes
from vidtok.video.prepare import Prepared, part_file, prepare_video
from vidtok.video.reader import open_video


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "a").mkdir(parents=True)
    make_clip(folder / "a" / "1.mkv", frames=40, size=(128, 192), options=GROUPS["one keyframe"])
    make_clip(folder / "b 2.mp4", frames=70, size=(128, 192), options=GROUPS["open groups"])
    (folder / "train.csv").write_text("a/1.mkv 0\nb 2.mp4 1\n")
    (folder / "val.csv").write_text("path,labels\nb 2.mp4,1\n")
    return folder


def run(*arguments: object) -> int:
    return prepare_videos.run([*map(str, arguments), "--workers", "2", "--short-side", "64"])


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "prepare.csv", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_videos_and_lists(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert run(videos / "train.csv", videos / "val.csv", out) == 0
    assert (out / "train.csv").read_text() == "a/1.mp4 0\nb 2.mp4 1\n"
    assert (out / "val.csv").read_text() == "path,labels\nb 2.mp4,1\n"
    records = read_list(out / "train.csv")
    for record, count in zip(records, (40, 70), strict=True):
        with open_video(record.path) as video:
            assert video.size == (64, 96)
            assert read_numbers(video.frames_at(range(len(video))).pixels.numpy()) == list(range(count))
    row = rows_of(out)["a/1.mkv"]
    assert row["bytes"] == str((out / "a" / "1.mp4").stat().st_size)
    assert row["bytes_before"] == str((videos / "a" / "1.mkv").stat().st_size)
    facts = [row[key] for key in ("ok", "target", "frames", "width_before", "height_before", "width", "height")]
    assert facts == ["yes", "a/1.mp4", "40", "192", "128", "96", "64"]
    said = capsys.readouterr().out
    assert "2 files, 0 bad\n" in said
    assert " MiB before, " in said
    assert "a random clip of 32 frames, stride 2, takes " in said
    assert f"list: {out / 'val.csv'}\n" in said
    assert json.loads((out / "prepare.json").read_text())["short_side"] == 64


def test_a_second_run_does_only_what_is_missing(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert run(videos / "train.csv", out) == 0
    (out / "a" / "1.mp4").unlink()
    before = (out / "b 2.mp4").stat().st_mtime_ns
    (out / "prepare.csv").unlink()  # as if the run was killed before it could write the row
    assert run(videos / "train.csv", out) == 0
    assert "1 of 2 files are in" in capsys.readouterr().out
    assert (out / "b 2.mp4").stat().st_mtime_ns == before
    assert (out / "a" / "1.mp4").exists()
    make_clip(videos / "b 2.mp4", frames=80, size=(128, 192))  # another file under the old name
    assert run(videos / "train.csv", out) == 0
    assert "1 of 2 files are in" in capsys.readouterr().out
    assert rows_of(out)["b 2.mp4"]["frames"] == "80"
    (videos / "b 2.mp4").write_text("broken since")
    assert run(videos / "train.csv", out) == 1
    assert not (out / "b 2.mp4").exists()
    (videos / "a" / "1.mkv").unlink()  # to save space: what was made of it stays
    assert run(videos / "train.csv", out) == 1
    assert rows_of(out)["a/1.mkv"]["ok"] == "yes"


def test_what_is_not_said_is_what_the_function_does(tmp_path: Path):
    (tmp_path / "in").mkdir()
    make_clip(tmp_path / "in" / "a.mp4", frames=40, size=(288, 384))
    out = tmp_path / "out"
    assert prepare_videos.run([str(tmp_path / "in"), str(out), "--workers", "1"]) == 0
    settings = json.loads((out / "prepare.json").read_text())
    assert settings == {"short_side": 256, "gop": 16, "crf": 26, "preset": "medium"}
    defaults = inspect.signature(prepare_video).parameters
    assert settings == {name: defaults[name].default for name in settings}
    with av.open(str(out / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width) == (256, 342)
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert [number for number, packet in enumerate(packets) if packet.is_keyframe] == [0, 16, 32]


def test_other_settings_are_refused(videos: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert run(videos / "val.csv", out) == 0
    with pytest.raises(
        ConfigError, match=r"prepare.json: the videos of this folder were made with .*'crf': 26.*crf.: 30"
    ):
        run(videos / "val.csv", out, "--crf", 30)
    (out / "prepare.json").write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        run(videos / "val.csv", out)


def test_broken_files_are_left_out_of_the_lists(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vidtok.runs.prepare.prepare_video", checking.deadly_to_write)
    monkeypatch.setattr("vidtok.runs.report.GRACE_SECONDS", 0.0)
    (videos / "text.avi").write_text("no video")
    lines = "none.mp4 0\na/1.mkv 1\ntext.avi 2\nkills.mp4 3\nhangs.mp4 4\nb 2.mp4 5\n"
    (videos / "all.csv").write_text(lines)
    out = tmp_path / "out"
    assert run(videos / "all.csv", out, "--timeout", 1) == 1
    assert (out / "all.csv").read_text() == "a/1.mp4 1\nb 2.mp4 5\n"
    causes = {name: row["cause"] for name, row in rows_of(out).items() if row["ok"] == "no"}
    assert causes == {
        "none.mp4": "No such file or directory",
        "text.avi": "Invalid data found when processing input",
        "kills.mp4": "the process that read it died (SIGSEGV)",
        "hangs.mp4": "no frame came for 1 s: it hangs",
    }
    assert sorted(path.name for path in out.rglob("*")) == sorted(
        ["1.mp4", "a", "all.csv", "b 2.mp4", "prepare.csv", "prepare.json"]
    )


def test_a_folder(videos: Path, tmp_path: Path):
    out = tmp_path / "out"
    make_clip(videos / "a" / "c.d.WEBM", frames=9, format="mp4")
    assert run(videos, out) == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.mp4")) == [
        "a/1.mp4",
        "a/c.d.mp4",
        "b 2.mp4",
    ]
    with pytest.raises(ConfigError, match="lies in the folder of the originals"):
        run(videos, videos / "out")


def test_names_that_do_not_work(videos: Path, tmp_path: Path):
    out = tmp_path / "out"
    (videos / "clash.csv").write_text("a/1.mkv 0\na/1.mp4 0\n")
    with pytest.raises(DataError, match=r"a/1.mkv and a/1.mp4 would both be written as a/1.mp4"):
        run(videos / "clash.csv", out)
    (videos / "up.csv").write_text("../elsewhere.mp4 0\n")
    with pytest.raises(DataError, match=r"\.\./elsewhere.mp4: does not lie below .* --root"):
        run(videos / "up.csv", out)
    with pytest.raises(ConfigError, match="lies in the folder of the originals"):
        run(videos / "train.csv", videos)
    with pytest.raises(ConfigError, match="would overwrite"):
        run(videos / "train.csv", videos, "--root", tmp_path)
    with pytest.raises(SystemExit):
        run(videos / "train.csv", out, "--gop", 0)
    assert not out.exists()


def test_absolute_paths_and_names_without_an_ending(videos: Path, tmp_path: Path):
    (videos / "b 2.mp4").rename(videos / "b 2.5")
    (videos / "abs.csv").write_text(f"{videos}/a/1.mkv 0\n./b 2.5 1\nb 2.5 2\n")
    out = tmp_path / "out"
    assert run(videos / "abs.csv", out) == 0
    assert (out / "abs.csv").read_text() == "a/1.mp4 0\nb 2.5.mp4 1\nb 2.5.mp4 2\n"
    assert (out / "b 2.5.mp4").exists()


def test_a_target_that_cannot_be_written_ends_the_run(videos: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("in the way")
    with pytest.raises(DataError, match=r"out/a/1.mp4: cannot be written: "):
        run(videos / "train.csv", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file whose opening waits for ever")
def test_ctrl_c_leaves_whole_files_only(videos: Path, tmp_path: Path):
    out = tmp_path / "out"
    os.mkfifo(videos / "waits.mp4")
    (videos / "train.csv").write_text("a/1.mkv 0\nwaits.mp4 1\nb 2.mp4 2\n")
    options = {key: value for key, value in tool_options().items() if key not in ("capture_output", "timeout")}
    command = tool_command("prepare_videos", videos / "train.csv", out, "--workers", "1", "--short-side", "64")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        deadline = time.monotonic() + 120
        while not (out / "prepare.csv").exists() or len((out / "prepare.csv").read_text().splitlines()) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "interrupted\n")
    assert "stopped: 1 of 3 files are done" in said
    assert sorted(path.name for path in out.rglob("*")) == ["1.mp4", "a", "prepare.csv", "prepare.json"]
    (videos / "waits.mp4").unlink()
    make_clip(videos / "waits.mp4", frames=9)
    assert run(videos / "train.csv", out) == 0
    assert (out / "train.csv").read_text() == "a/1.mp4 0\nwaits.mp4 1\nb 2.mp4 2\n"


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("prepare", run_prepare, "a", "b")


def report_row(path, **facts):
    return {"path": path, "ok": "yes", "bytes_before": str(3 * 2**20), "bytes": str(2**20), "target": "a.mp4"} | facts


def test_sizes_count_the_good_whose_originals_are_known():
    rows = [report_row("a"), report_row("b"), report_row("c", ok="no"), report_row("d", bytes_before="")]
    assert sizes(rows) == ["6.0 MiB before, 2.0 MiB after"]
    assert sizes(rows[2:]) == []


def test_when_a_file_is_finished_and_what_its_row_is(tmp_path):
    (tmp_path / "source.mp4").write_bytes(b"abc")
    (tmp_path / "a.mp4").write_bytes(b"ab")
    source, target = tmp_path / "source.mp4", tmp_path / "a.mp4"
    good = report_row("x", bytes_before="3", bytes="2")
    assert not is_finished(good, source, tmp_path / "none.mp4")
    other = good | {"bytes_before": "4"}
    for row, finished in ((None, True), (good, True), (other, False), (other | {"ok": "no"}, True)):
        assert is_finished(row, source, target) == finished
    assert is_finished(other, tmp_path / "gone.mp4", target)
    assert final_row(good, "x", source, "a.mp4", tmp_path) is good
    failed = good | {"ok": "no"}
    assert final_row(failed, "x", source, "none.mp4", tmp_path) is failed
    for row in (None, failed):
        made = final_row(row, "x", source, "a.mp4", tmp_path)
        assert (made["path"], made["ok"], made["target"], made["bytes_before"], made["bytes"]) == (
            "x", "yes", "a.mp4", "3", "2",
        )  # fmt: skip


def test_a_row_says_what_became_of_a_video(tmp_path):
    facts = Prepared(
        frames=7, fps=12.5, source_size=(480, 640), size=(240, 320), source_bytes=900, bytes=300,
        shift_seconds=0.25, damaged_frames=2,
    )  # fmt: skip
    job = (tmp_path / "in.mp4", tmp_path / "out.mp4")
    row = prepare_row("in.mp4", "out.mp4", job, Done(job=0, process=1, result=facts))
    told = {key: value for key, value in row.items() if value}
    assert told == {
        "path": "in.mp4", "target": "out.mp4", "ok": "yes", "frames": "7", "fps": "12.500", "width_before": "640",
        "height_before": "480", "width": "320", "height": "240", "bytes_before": "900", "bytes": "300",
        "shift_seconds": "0.25", "damaged_frames": "2",
    }  # fmt: skip
    part_file(job[1], process=9).write_bytes(b"half")
    job[1].write_bytes(b"old")
    row = prepare_row("in.mp4", "out.mp4", job, Done(job=0, process=9, cause=f"{job[0]}: it hangs"))
    assert (row["ok"], row["cause"], list(tmp_path.iterdir())) == ("no", "it hangs", [])
