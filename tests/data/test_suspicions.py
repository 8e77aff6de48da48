"""What is said of lists that are probably not meant so."""

import pytest

from vidtok.data.lists import open_list
from vidtok.data.suspicions import contradictions, list_suspicions, odd_classes, shared_videos


def listed(folder, name, rows, classes=None):
    (folder / name).write_text("path,label,start,end\n" + "".join(f"{row}\n" for row in rows))
    return open_list(folder / name, classes=classes)


def many(name, count=3):
    return [f"{name}{i}.mp4,{name},," for i in range(count)]


def test_nothing_is_said_of_a_sound_list(tmp_path):
    train, classes = listed(tmp_path, "train.csv", [*many("run"), *many("walk"), "run0.mp4,run,,"])
    val, _ = listed(tmp_path, "val.csv", ["z.mp4,run,,", "y.mp4,walk,,"], classes)
    assert list_suspicions(train, val, classes) == []


def test_contradictions(tmp_path):
    rows = ["a.mp4,run,,", "./a.mp4,walk,,", "b.mp4,run,0,1", "b.mp4,walk,1,2", "c.mp4,run;walk,,", "c.mp4,walk;run,,"]
    train, _ = listed(tmp_path, "train.csv", rows)
    (line,) = contradictions(train)
    assert "train.csv: 1 lines contradict earlier ones on the same video, such as 'a.mp4' with the labels 0 and" in line
    (line,) = contradictions(listed(tmp_path, "more.csv", [*rows, "b.mp4,run,1,2"])[0])
    assert "2 lines contradict" in line
    assert "such as 'a.mp4'" in line


def test_shared_videos(tmp_path):
    train, classes = listed(tmp_path, "train.csv", [*many("run"), "b.mp4,walk,0,1"])
    (line,) = shared_videos(train, listed(tmp_path, "val.csv", ["run1.mp4,run,,", "b.mp4,walk,1,2"], classes)[0])
    assert "1 of 2 videos of" in line
    assert "such as 'run1.mp4'" in line
    (line,) = shared_videos(train, listed(tmp_path, "two.csv", ["run2.mp4,run,,", "run0.mp4,run,,", "z.mp4,run,,"])[0])
    assert "2 of 3 videos of" in line
    assert "such as 'run2.mp4'" in line
    (line,) = shared_videos(train, train)
    assert line.startswith("all 4 videos of")


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ([], []),
        (["x.mp4,wakl,,"], ["1 of 3 classes have one or two videos", "'wakl' (1) and 'walk' (3)"]),
        (many("Walk"), ["'Walk' (3) and 'walk' (3)"]),
        (many("wal_k"), ["'wal_k' (3) and 'walk' (3)"]),
        (many("zzz", 2), ["1 of 3 classes have one or two videos in", "'zzz' (2)"]),
        (["x.mp4,walk2,,"], ["one or two videos"]),
    ],
)
def test_odd_classes(tmp_path, extra, expected):
    train, classes = listed(tmp_path, "train.csv", [*many("run"), *many("walk"), *extra])
    lines = odd_classes(train, classes)
    assert ("nearly the same name" in " ".join(lines)) == (" and " in " ".join(expected))
    assert all(words in " ".join(lines) for words in expected)
    assert bool(lines) == bool(expected)
