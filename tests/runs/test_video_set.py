"""Which videos a command works through."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.data.formats.sample_list import write_tar
from tests.infer.test_predict import model
from tests.video.clips import make_clip
from tests.video.serving import served
from vidtok.errors import DataError
from vidtok.runs.check import run_check
from vidtok.runs.features import run_features
from vidtok.runs.predict import list_videos, run_predict
from vidtok.runs.prepare import run_prepare
from vidtok.runs.test import run_test
from vidtok.runs.video_set import find_videos


def test_lists_share_videos(tmp_path: Path):
    (tmp_path / "train.csv").write_text("a.mp4 0\nb.mp4 1\na.mp4 2\n")
    (tmp_path / "val.csv").write_text("path,labels\nb.mp4,0\nc.mp4,1\n")
    videos = find_videos([tmp_path / "train.csv", tmp_path / "val.csv"], root=None, endings=(".mp4",))
    assert videos.names == ("a.mp4", "b.mp4", "c.mp4")
    assert videos.path("c.mp4") == tmp_path / "c.mp4"
    videos = find_videos([tmp_path / "val.csv"], root=tmp_path / "else", endings=(".mp4",))
    assert videos.path("c.mp4") == tmp_path / "else" / "c.mp4"


def test_a_folder_at_any_depth(tmp_path: Path):
    for name in ("b/2.MP4", "b/1.mp4", "a/x/3.webm", "0.mp4", "b/notes.txt", ".trash/4.mp4", "b/.5.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    videos = find_videos([tmp_path], root=None, endings=(".mp4", ".webm"))
    assert videos.names == ("0.mp4", "a/x/3.webm", "b/1.mp4", "b/2.MP4")
    with pytest.raises(DataError, match="no videos in it"):
        find_videos([tmp_path / "b"], root=None, endings=(".avi",))


def test_what_does_not_go_together(tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.csv").write_text("a.mp4 0\n")
    lists = [tmp_path / "one" / "list.csv", tmp_path / "two" / "list.csv"]
    with pytest.raises(DataError, match="--root"):
        find_videos(lists, root=None, endings=(".mp4",))
    with pytest.raises(DataError, match="name one folder, or lists"):
        find_videos([tmp_path, lists[0]], root=None, endings=(".mp4",))
    assert find_videos(lists, root=tmp_path, endings=(".mp4",)).path("a.mp4") == tmp_path / "a.mp4"


@pytest.mark.slow
def test_shards_and_urls_go_wherever_a_list_goes(tmp_path: Path, capsys):
    """The same clips as files, in shards, in shards behind URLs and as URLs: the same scores, features and figures."""
    names, net = ["0/a.mp4", "0/b.mp4", "1/a.mp4", "1/b.mp4"], model()
    shards = tmp_path / "shards"
    shards.mkdir()
    for place, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        make_clip(tmp_path / name, frames=10 + place)
    for folder in "01":
        members = {name.partition("/")[2]: (tmp_path / name).read_bytes() for name in names if name[0] == folder}
        write_tar(shards / f"{folder}.tar", {**members, "a.cls": b"0", "b.cls": b"1"})
    (tmp_path / "list.csv").write_text("".join(f"{name} {int('b' in name)}\n" for name in names))

    def scores_of(*sources: str | Path) -> tuple[list[str], np.ndarray]:
        out = tmp_path / "out.csv"
        out.unlink(missing_ok=True)
        labelled = run_predict(net, sources, out=out, all_scores=True)
        assert (labelled.done, labelled.failed) == (4, ())
        rows = list(csv.reader(out.read_text().splitlines()))[1:]
        return [row[0] for row in rows], np.array([row[1:] for row in rows], float)

    _, wanted = scores_of(tmp_path / "list.csv")
    pattern = shards / "{0..1}.tar"
    members = [f"{shards}/{folder}.tar/{name}.mp4" for folder in "01" for name in "ab"]
    with served(tmp_path) as (address, _):
        urls = [f"{address}/{name}" for name in names]
        (tmp_path / "urls.csv").write_text("".join(f"{url} {int(url.endswith('b.mp4'))}\n" for url in urls))
        remote = f"{address}/shards/{{0..1}}.tar"
        for sources, expected in (
            ([pattern], members),
            ([shards / "0.tar", members[2], members[3]], members),
            ([tmp_path / "urls.csv"], urls),
            (urls, urls),
            ([remote], [f"{address}/shards/{folder}.tar/{name}.mp4" for folder in "01" for name in "ab"]),
        ):
            found, scores = scores_of(*sources)
            assert found == expected
            np.testing.assert_array_equal(scores, wanted)
        for name, sources in (("files", [tmp_path / "list.csv"]), ("shards", [pattern]), ("urls", [remote])):
            run_features(net, sources, out=tmp_path / f"{name}.npz")
        features = [np.load(tmp_path / f"{name}.npz")["features"] for name in ("files", "shards", "urls")]
        assert all(np.array_equal(each, features[0]) for each in features)
        net.save_pretrained(tmp_path / "saved")
        quick = ["data.workers=0", "eval.report=false"]
        figures = [
            run_test(tmp_path / "saved", quick, videos=videos, out=tmp_path / "test")
            for videos in (tmp_path / "list.csv", remote)
        ]
        assert figures == [figures[0]] * 2
        assert (figures[0].n, figures[0].values["top1"]) == (4, 0.5)
        assert run_check(pattern, out=tmp_path / "here", workers=1) == 0
        with open(tmp_path / "here" / "{0..1}.check.csv", newline="") as file:
            report = list(csv.DictReader(file))
        assert [row["path"] for row in report] == members
        assert [int(row["bytes"]) for row in report] == [(tmp_path / name).stat().st_size for name in names]
        assert run_check(pattern, out=tmp_path / "here", workers=1) == 0
        said = capsys.readouterr().out
        assert "4 of 4 files are known" in said
        assert "`vidtok lists SHARDS --to LIST.csv`" in said
        with pytest.raises(DataError, match="name a folder for it"):
            run_check(remote)
    with pytest.raises(DataError, match=r"there is no .*2\.tar"):
        list_videos([shards / "{1..2}.tar"], root=None)
    with pytest.raises(DataError, match="name one archive or pattern"):
        find_videos([shards / "0.tar", tmp_path / "list.csv"], root=None, endings=(".mp4",))
    with pytest.raises(DataError, match="unpack them"):
        run_prepare([pattern], tmp_path / "prepared")
    write_tar(shards / "9.tar", {"a.cls": b"0"})
    with pytest.raises(DataError, match="no video in it"):
        list_videos([shards / "9.tar"], root=None)
