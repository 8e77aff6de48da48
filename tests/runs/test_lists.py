"""tools/make_lists.py: every form to the project's own CSV, and what it says."""

import pytest

from tests.conftest import tool
from tests.data.formats.samples import SAMPLES
from vidtok.cli.lists import run
from vidtok.data.lists import open_list, read_classes, read_list
from vidtok.errors import ConfigError, DataError


def arguments(sample, source, root, out):
    words = [str(source), "--to", str(out), "--root", str(root), "--format", sample.form]
    for name, value in sample.options.items():
        words += [f"--{name}", str(value)]
    return words


@pytest.mark.parametrize("name", SAMPLES)
def test_the_written_list_has_the_same_records(tmp_path, name):
    """What `data.format` reads directly and what goes through the CSV is one and the same."""
    sample = SAMPLES[name]
    source, root = sample.write(tmp_path / "in")
    direct, classes = open_list(source, root=root, format=sample.form, options=sample.options)
    for out in (tmp_path / "out" / "list.csv", tmp_path / "in" / "list of all.csv"):
        if out != source:
            assert run([*arguments(sample, source, root, out), "--allow-missing"]) == 0
            assert list(read_list(out, format="csv")) == list(read_list(out)) == list(direct)
            assert (out.parent / "classes.txt").exists() == (classes is not None)
            if classes is not None:
                assert (out.parent / "classes.txt").read_text().splitlines() == list(classes)


def test_what_is_missing_is_said_and_left_out(tmp_path, capsys):
    source = tmp_path / "train.txt"
    source.write_text("".join(f"v{i}.mp4 {i}\n" for i in range(8)))
    for i in (2, 3):
        (tmp_path / f"v{i}.mp4").touch()
    out = tmp_path / "train.csv"
    assert run([str(source), "--to", str(out)]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"{source}: 8 records, read as paths (`path label…` lines)\nwritten: {out}, 2 records\n")
    assert "6 of 8 videos are not on disk and are left out, the first of them:\n" in said
    assert [line.strip() for line in said.splitlines()[-3:]] == [str(tmp_path / f"v{i}.mp4") for i in (0, 1, 4)]
    assert out.read_text() == "path,labels\nv2.mp4,2\nv3.mp4,3\n"
    assert run([str(source), "--to", str(out), "--allow-missing"]) == 0


def test_nothing_is_written_where_nothing_is_there(tmp_path):
    source, _ = SAMPLES["AViD"].write(tmp_path)
    with pytest.raises(DataError, match=r"none of its 4 videos is on disk, the first: .*yr.mp4\nName .* with --root"):
        run([str(source), "--to", str(tmp_path / "out" / "train.csv")])
    assert not (tmp_path / "out").exists()


def test_classes_are_made_once_and_kept(tmp_path):
    train, val = tmp_path / "avid_train.json", tmp_path / "avid_val.json"
    train.write_text('{"a.mp4": "run", "b.mp4": "jump"}')
    val.write_text('{"c.mp4": "run"}')
    for name in "abc":
        (tmp_path / f"{name}.mp4").touch()
    out = tmp_path / "lists"
    assert run([str(train), "--to", str(out / "train.csv")]) == 0
    with pytest.raises(
        ConfigError, match=r"classes.txt: is there already and names other classes. For a validation list"
    ):
        run([str(val), "--to", str(out / "val.csv")])
    assert not (out / "val.csv").exists()
    assert run([str(val), "--to", str(out / "val.csv"), "--classes", str(out / "classes.txt")]) == 0
    assert (out / "classes.txt").read_text() == "jump\nrun\n"
    assert read_list(out / "val.csv")[0].labels == (1,)
    assert run([str(train), "--to", str(out / "train.csv")]) == 0  # the same classes again


def test_labels_must_fit_the_classes(tmp_path):
    (tmp_path / "classes.txt").write_text("run\njump\n")
    (tmp_path / "train.txt").write_text("a.mp4 2\n")
    (tmp_path / "a.mp4").touch()
    classes = ["--classes", str(tmp_path / "classes.txt")]
    with pytest.raises(DataError, match=r"label 2 of 'a.mp4' is too high: there are 2 classes"):
        run([str(tmp_path / "train.txt"), "--to", str(tmp_path / "out.csv"), *classes])


def test_the_other_part_of_hmdb51(tmp_path):
    source, root = SAMPLES["HMDB51"].write(tmp_path)
    (root / "wave" / "d.avi").touch()
    assert run([str(source), "--to", str(tmp_path / "val.csv"), "--root", str(root), "--part", "val"]) == 1
    assert (tmp_path / "val.csv").read_text() == "path,labels,video_id\nhmdb51_org/wave/d.avi,1,wave/d.avi\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--to", "out.txt"], r"--to out.txt: the list is written as CSV; give it the ending .csv"),
        (["--to", "train.csv"], r"--to train.csv: is the list that is read; choose another name"),
        (["--to", "out.csv", "--fps", "24"], r"the form paths has no option 'fps'"),
        (["--to", "out.csv", "--none", "drop"], r"the form paths has no option 'none'"),
        (["--to", "out.csv", "--untrimmed"], r"the form paths has no option 'untrimmed'"),
        (["--to", "out.csv", "--format", "rawframes", "--fps", "0"], r"--fps 0: a rate is above 0"),
        (["--to", "out.csv", "--format", "rawframes", "--template", "a.jpg"], r"--template a.jpg: it has a place for"),
        (["--to", "out.csv", "--format", "k400"], r"no form of lists is called 'k400'; there are: auto, paths"),
    ],
)
def test_wrong_options_are_named(tmp_path, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text("a.mp4 0\n")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(ConfigError, match=message):
        run(["train.csv", *more])


def test_what_is_said_of_a_list_with_names(tmp_path, capsys):
    source, root = SAMPLES["Kinetics"].write(tmp_path)
    assert run([str(source), "--to", str(tmp_path / "train.csv"), "--root", str(root)]) == 0
    said = capsys.readouterr().out
    assert "3 records, read as kinetics (Kinetics' CSV: label,youtube_id,time_start,time_end,split)" in said
    assert f"written: {tmp_path / 'train.csv'}, 3 records, 2 classes" in said


def test_the_tool_itself(tmp_path):
    (tmp_path / "odd.txt").write_text("a.mp4 300 1\n")
    done = tool("make_lists", tmp_path / "odd.txt", "--to", tmp_path / "odd.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "odd.txt: may be of several forms; say which one with --format:" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_are_written_as_they_are_on_disk(tmp_path, capsys):
    (tmp_path / "k").mkdir()
    for name in ("k/a.mp4", "k/cafe\u0301.mp4", "k/\udce9.mp4"):
        (tmp_path / name).touch()
    source = tmp_path / "train.txt"
    source.write_bytes("k\\a.MP4 0\nk/caf\u00e9.mp4 1\nk/".encode() + b"\xe9.mp4 1\n")
    assert run([str(source), "--to", str(tmp_path / "train.csv")]) == 0
    assert "2 names differ from those on disk" in capsys.readouterr().out
    records = read_list(tmp_path / "train.csv")
    assert [record.path.relative_to(tmp_path).as_posix() for record in records] == [
        "k/a.mp4",
        "k/cafe\u0301.mp4",
        "k/\udce9.mp4",
    ]


def test_classes_called_by_numbers_are_written_by_name(tmp_path):
    for name in ("0", "1", "2", "10"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "a.mp4").touch()
    assert run([str(tmp_path / "set"), "--to", str(tmp_path / "train.csv")]) == 0
    names = read_classes(tmp_path / "classes.txt")
    assert names == ("0", "1", "2", "10")
    records = read_list(tmp_path / "train.csv", classes=names)
    assert {record.path.parent.name: record.labels for record in records} == {
        name: (label,) for label, name in enumerate(names)
    }
