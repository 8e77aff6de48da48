"""vidtok prepare --cut: a file for each record, the list anew, what is left of a run that was stopped."""

import csv
import os
import signal
from pathlib import Path

import pytest

from tests.video.clips import make_clip, read_numbers
from vidtok.cli import prepare
from vidtok.data.lists import read_list
from vidtok.errors import ConfigError, DataError
from vidtok.video.cut import cut_video
from vidtok.video.prepare import part_file
from vidtok.video.reader import open_video

LIST = (
    "path,labels,start,end\na 1.mp4,jump;run:0.5-1.4,0.4,1.2\na 1.mp4,run,0.1,0.5\nb.mp4,run,,\na 1.mp4,jump,0.1,0.5\n"
)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos" / "in"
    folder.mkdir(parents=True)
    make_clip(folder / "a 1.mp4", frames=45)
    make_clip(folder / "b.mp4", frames=12)
    (folder / "train.csv").write_text(LIST)
    return folder


def run(*arguments: object) -> int:
    fast = ["--workers", "1", "--short-side", "64", "--preset", "ultrafast", "--cut"]
    return prepare.run([*map(str, arguments), *fast])


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "cut.csv", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_records_become_files_and_a_list(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert run(videos / "train.csv", out) == 0
    records = list(read_list(out / "train.csv"))
    names = ["a 1_0.4-1.2.mp4", "a 1_0.1-0.5.mp4", "b.mp4", "a 1_0.1-0.5.mp4"]
    assert [record.video_id for record in records] == names
    assert [record.labels for record in records] == [(0, 1), (1,), (1,), (0,)]
    assert records[0].intervals[1] == (pytest.approx(0.1), pytest.approx(0.8))
    assert not any(record.start_seconds or record.end_seconds for record in records)
    assert (out / "classes.txt").read_text() == "jump\nrun\n"
    for record, (first, stop) in zip(records[:3], [(12, 36), (3, 15), (0, 12)], strict=True):
        with open_video(record.path) as video:
            assert read_numbers(video.frames_at(range(len(video))).pixels.numpy()) == list(range(first, stop))
    row = rows_of(out)["a 1_0.4-1.2.mp4"]
    assert [row[key] for key in ("ok", "source", "start", "end", "frames")] == [
        "yes",
        f"{videos}/a 1.mp4",
        "0.4",
        "1.2",
        "24",
    ]
    assert "3 files, 0 bad\n" in capsys.readouterr().out


def test_it_goes_on_where_it_stopped(videos: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    """A worker that dies behind the first file leaves it; the report is written of what is there."""
    out, killed = tmp_path / "out", []

    def deadly(source, cuts, **options):
        if source.name == "a 1.mp4" and not killed:
            cut_video(source, cuts[1:], **options)
            part_file(cuts[0].target, process=os.getpid()).write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        return cut_video(source, cuts, **options)

    monkeypatch.setattr("vidtok.runs.cut.cut_video", deadly)
    assert run(videos / "train.csv", out) == 1
    assert rows_of(out)["a 1_0.4-1.2.mp4"]["cause"].startswith("the process that read it died (SIGKILL")
    assert [record.video_id for record in read_list(out / "train.csv")] == [
        "a 1_0.1-0.5.mp4",
        "b.mp4",
        "a 1_0.1-0.5.mp4",
    ]
    assert not list(out.glob(".*.part"))
    killed.append(True)
    before = (out / "a 1_0.1-0.5.mp4").stat().st_mtime_ns
    (out / "cut.csv").unlink()  # as if the run was killed before it could write the rows
    capsys.readouterr()
    assert run(videos / "train.csv", out) == 0
    assert "2 of 3 files are in" in capsys.readouterr().out
    assert (out / "a 1_0.1-0.5.mp4").stat().st_mtime_ns == before
    assert len(read_list(out / "train.csv")) == 4
    make_clip(videos / "b.mp4", frames=13)  # another video under the old name
    assert run(videos / "train.csv", out) == 0
    assert rows_of(out)["b.mp4"]["frames"] == "13"


def test_what_cannot_be_cut_is_named_and_left_out(videos: Path, tmp_path: Path):
    (videos / "val.csv").write_text("path,label,start,end\na 1.mp4,run,9,10\na 1.mp4,jump,1,1.2\nnone.mp4,run,1,2\n")
    out = tmp_path / "out"
    assert run(videos / "train.csv", videos / "val.csv", out) == 1
    assert [record.video_id for record in read_list(out / "val.csv")] == ["a 1_1-1.2.mp4"]
    assert [record.labels for record in read_list(out / "val.csv")] == [(0,)]
    causes = {name: row["cause"] for name, row in rows_of(out).items() if row["ok"] == "no"}
    assert causes == {
        "a 1_9-10.mp4": "no frame is shown from 9 s to 10 s; its 45 frames are shown from 0 to 1.467 s",
        "none_1-2.mp4": "No such file or directory",
    }


def test_what_is_refused(videos: Path, tmp_path: Path):
    out = tmp_path / "out"
    (videos / "up.csv").write_text("path,label,start,end\n../a.mp4,run,1,2\n")
    (videos / "same.csv").write_text("path,label,start,end\na.mp4,run,1,2\na_1-2.mp4,run,,\n")
    (videos / "pictures.csv").write_text("path,label,start,end\na.png,run,1,2\n")
    with pytest.raises(DataError, match=r"\.\./a.mp4"):
        run(videos / "up.csv", out)
    with pytest.raises(DataError, match=r"a.mp4 1-2 s and a_1-2.mp4 would both be written as a_1-2.mp4; rename"):
        run(videos / "same.csv", out)
    with pytest.raises(DataError, match=r"pictures.csv: .*a.png: only videos are cut"):
        run(videos / "pictures.csv", out)
    with pytest.raises(ConfigError, match="lies in the folder of the originals"):
        run(videos / "train.csv", videos)
    with pytest.raises(ConfigError, match="need names that differ"):
        run(videos / "train.csv", videos / "train.csv", out)
    assert not out.exists()
