"""The command that decodes everything: its report, its clean list, and what becomes of it when it is stopped."""

import csv
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
from tests.video.clips import GROUPS, make_clip
from vidtok.cli import check as check_videos
from vidtok.errors import DataError
from vidtok.runs.check import NAMED, commonest, is_known, run_check, summary


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three good files, a text, an empty file, one that is missing, and their list."""
    (tmp_path / "a").mkdir()
    make_clip(tmp_path / "a" / "1.mp4", frames=20)
    make_clip(tmp_path / "a" / "2 x.mkv", frames=30, ticks=[i * i for i in range(30)], options=GROUPS["no B-frames"])
    make_clip(tmp_path / "b.mp4", frames=10, size=(48, 64))
    (tmp_path / "a" / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.csv").write_bytes(
        b'a/1.mp4 0\r\n"a/2 x.mkv" 1 2\n\na/text.mp4 0\nempty.mp4 1\nnone.mp4 1\nb.mp4 3\na/1.mp4 4'
    )
    return tmp_path


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_report_and_clean_list(videos: Path, capsys: pytest.CaptureFixture[str]):
    assert check_videos.run([str(videos / "list.csv"), "--workers", "2"]) == 1
    rows = rows_of(videos / "list.check.csv")
    assert [*rows] == ["a/1.mp4", "a/2 x.mkv", "a/text.mp4", "empty.mp4", "none.mp4", "b.mp4"]
    good = {
        key: rows["a/1.mp4"][key] for key in ("ok", "frames", "fps", "seconds", "width", "height", "codec", "cause")
    }
    assert [*good.values()] == ["yes", "20", "30.000", "0.667", "96", "64", "h264", ""]
    assert rows["a/1.mp4"]["bytes"] == str((videos / "a" / "1.mp4").stat().st_size)
    assert rows["a/1.mp4"]["variable_rate"] == "no"
    assert rows["a/2 x.mkv"]["variable_rate"] == "yes"
    causes = {name: row["cause"] for name, row in rows.items() if row["ok"] == "no"}
    assert causes == {
        "a/text.mp4": "Invalid data found when processing input",
        "empty.mp4": "is empty, 0 bytes",
        "none.mp4": "No such file or directory",
    }
    assert (videos / "list.clean.csv").read_bytes() == b'a/1.mp4 0\r\n"a/2 x.mkv" 1 2\nb.mp4 3\na/1.mp4 4'
    out = capsys.readouterr().out
    assert "6 files, 3 bad\n  a/text.mp4: Invalid data found when processing input\n" in out
    assert "shortest: 0.33 s (frames: 10), b.mp4" in out
    assert "sizes: 96x64 (2), 64x48 (1)" in out
    assert "videos with a variable rate: 1, see the report" in out
    assert f"list without the bad files: {videos / 'list.clean.csv'}\n" in out


def test_good_files_are_not_read_twice(videos: Path, capsys: pytest.CaptureFixture[str]):
    assert check_videos.run([str(videos / "list.csv"), "--workers", "2"]) == 1
    (videos / "a" / "text.mp4").write_bytes((videos / "a" / "1.mp4").read_bytes())  # mended
    (videos / "empty.mp4").write_bytes((videos / "b.mp4").read_bytes())
    make_clip(videos / "none.mp4", frames=9)
    (videos / "b.mp4").write_text("broken since")
    (videos / "a" / "2 x.mkv").write_bytes(bytes((videos / "a" / "2 x.mkv").stat().st_size))  # not seen: same size
    capsys.readouterr()
    assert check_videos.run([str(videos / "list.csv"), "--workers", "2"]) == 1
    assert "2 of 6 files are known" in capsys.readouterr().out
    rows = rows_of(videos / "list.check.csv")
    assert [name for name, row in rows.items() if row["ok"] == "no"] == ["b.mp4"]
    assert check_videos.run([str(videos / "list.csv"), "--workers", "2", "--fresh"]) == 1
    rows = rows_of(videos / "list.check.csv")
    assert [name for name, row in rows.items() if row["ok"] == "no"] == ["a/2 x.mkv", "b.mp4"]


def test_a_folder(videos: Path, capsys: pytest.CaptureFixture[str]):
    (videos / "b.mp4").rename(videos / "a" / "b.mp4")
    (videos / "empty.mp4").unlink()
    (videos / "list.csv").unlink()
    (videos / "c").mkdir()
    make_clip(videos / "c" / "d.mp4", frames=9)
    out = videos / "a" / "out"
    assert check_videos.run([str(videos), "--out", str(out), "--workers", "1"]) == 1
    assert [*rows_of(out / "check.csv")] == ["a/1.mp4", "a/2 x.mkv", "a/b.mp4", "a/text.mp4", "c/d.mp4"]
    assert (out / "clean.csv").read_text() == "a/1.mp4 0\na/2 x.mkv 0\na/b.mp4 0\nc/d.mp4 1\n"
    assert (out / "clean.classes.txt").read_text() == "a\nc\n"
    (videos / "a" / "text.mp4").unlink()
    assert check_videos.run([str(videos), "--workers", "1"]) == 0
    assert (videos / "check.csv").exists()


def test_a_file_that_kills_or_stops_the_decoder(videos: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vidtok.runs.check.check_video", checking.deadly)
    monkeypatch.setattr("vidtok.runs.report.GRACE_SECONDS", 0.0)
    (videos / "list.csv").write_text("a/1.mp4 0\nkills.mp4 0\nhangs.mp4 0\nb.mp4 0\n")
    assert check_videos.run([str(videos / "list.csv"), "--workers", "2", "--timeout", "1"]) == 1
    causes = {name: row["cause"] for name, row in rows_of(videos / "list.check.csv").items()}
    assert causes == {
        "a/1.mp4": "",
        "kills.mp4": "the process that read it died (SIGSEGV)",
        "hangs.mp4": "no frame came for 1 s: it hangs",
        "b.mp4": "",
    }


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file whose opening waits for ever")
def test_ctrl_c_keeps_what_there_is(videos: Path, capsys: pytest.CaptureFixture[str]):
    (videos / "list.csv").write_text("a/1.mp4 0\nb.mp4 0\nwaits.mp4 1\nlast.mp4 1\n")
    os.mkfifo(videos / "waits.mp4")
    os.mkfifo(videos / "last.mp4")
    report = videos / "list.check.csv"
    options = {key: value for key, value in tool_options().items() if key not in ("capture_output", "timeout")}
    command = tool_command("check_videos", videos / "list.csv", "--workers", "2")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        deadline = time.monotonic() + 120
        while not report.exists() or len(report.read_text().splitlines()) < 3:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "interrupted\n")
    assert f"stopped: 2 of 4 files are done ({report}); the same command goes on" in out
    assert rows_of(report).keys() == {"a/1.mp4", "b.mp4"}
    for name in ("waits.mp4", "last.mp4"):
        (videos / name).unlink()
        make_clip(videos / name, frames=9)
    assert check_videos.run([str(videos / "list.csv"), "--workers", "2"]) == 0
    assert "2 of 4 files are known" in capsys.readouterr().out
    assert [*rows_of(report)] == ["a/1.mp4", "b.mp4", "waits.mp4", "last.mp4"]


def test_what_cannot_be_checked_is_said(videos: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(DataError, match="no such list or folder"):
        check_videos.run([str(videos / "none.csv")])
    with pytest.raises(SystemExit):
        check_videos.run([str(videos / "list.csv"), "--workers", "0"])
    assert "--workers counts from 1" in capsys.readouterr().err


def test_videos_with_damaged_frames_are_named_and_left_out_where_it_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    clip = make_clip(tmp_path / "damaged.mp4", frames=30, size=(96, 144), options=GROUPS["no B-frames"])
    make_clip(tmp_path / "whole.mp4", frames=10)
    (tmp_path / "list.csv").write_text("whole.mp4 0\ndamaged.mp4 1\n")
    with av.open(str(clip)) as container:
        pos, size = next((packet.pos, packet.size) for packet in container.demux(video=0) if packet.pts == 16 * 512)
    data = bytearray(clip.read_bytes())
    data[pos + size // 2 : pos + size // 2 + 40] = bytes(range(40))
    clip.write_bytes(data)
    assert check_videos.run([str(tmp_path / "list.csv"), "--workers", "1"]) == 0
    assert rows_of(tmp_path / "list.check.csv")["damaged.mp4"]["damaged_frames"] == "14"
    assert "with damaged frames: 1, see the report\n  damaged.mp4: 14 of 30\n" in capsys.readouterr().out
    assert (tmp_path / "list.clean.csv").read_text() == "whole.mp4 0\ndamaged.mp4 1\n"
    assert check_videos.run([str(tmp_path / "list.csv"), "--workers", "1", "--leave-out-damaged"]) == 1
    assert (tmp_path / "list.clean.csv").read_text() == "whole.mp4 0\n"


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("check", run_check, "list.csv")


def row(path, **facts):
    return {
        "path": path, "ok": "yes", "bytes": "3", "backend": "pyav", "cause": "", "frames": "20", "fps": "25.000",
        "seconds": "0.800", "width": "96", "height": "64", "codec": "h264", "variable_rate": "no",
        "damaged_frames": "0",
        **facts,
    }  # fmt: skip


def test_what_a_person_wants_to_know():
    rows = [
        row("a.mp4"),
        row("b.mp4", fps="9.500", seconds="12.25", frames="300", width="640", codec="hevc", variable_rate="yes"),
        row("c", codec="", seconds="1.000", damaged_frames="2"),
        row("d.mp4", ok="no", cause="broken", fps="", seconds=""),
    ]
    assert summary(rows) == [
        "4 files, 1 bad",
        "  d.mp4: broken",
        "frames per second: 9.5 to 25",
        "shortest: 0.80 s (frames: 20), a.mp4",
        "longest: 12.25 s (frames: 300), b.mp4",
        "sizes: 96x64 (2), 640x64 (1)",
        "codecs: h264 (1), hevc (1), pictures (1)",
        "videos with a variable rate: 1, see the report",
        "with damaged frames: 1, see the report",
        "  c: 2 of 20",
    ]
    assert summary(rows[3:]) == ["1 files, 1 bad", "  d.mp4: broken"]
    assert commonest("abbccc") == "c (3), b (2), a (1)"
    many = commonest(str(number) for number in range(NAMED + 2))
    assert many.endswith(", others (2)")
    assert "others" not in commonest(str(number) for number in range(NAMED))


def test_what_makes_a_file_known(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"abc")
    assert is_known(row("a.mp4"), tmp_path / "a.mp4", "pyav")
    assert not is_known(None, tmp_path / "a.mp4", "pyav")
    for wrong in ({"ok": "no"}, {"bytes": "4"}, {"backend": "decord"}):
        assert not is_known(row("a.mp4", **wrong), tmp_path / "a.mp4", "pyav")
