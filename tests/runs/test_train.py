"""The training tool as a person runs it: resume, many processes, broken videos, messages."""

import itertools
import json
import os
import re
import signal
import subprocess
import time

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT, small_run, tool, tool_command, tool_options
from vidtok.build import build_lists
from vidtok.cli import test as test_tool
from vidtok.cli import train
from vidtok.config_io import load_config
from vidtok.errors import VidtokError
from vidtok.models.classifier import Classifier
from vidtok.models.network import Network
from vidtok.runs import train as runs_train
from vidtok.runs.train import compare_geometries, start_warnings
from vidtok.train.lock import locked
from vidtok.train.log import Log
from vidtok.train.opening import load_checkpoint
from vidtok.train.parallel import start_parallel
from vidtok.video.write import write_video


def losses(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if line["event"] == "train"}


def final(run, step=12):
    return torch.load(run / "checkpoints" / f"step_{step:08d}.pt", weights_only=True)


def assert_same(one, other):
    """Bitwise, all the way down."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def start_tool(*arguments):
    """A tool in the background, all that it says on one pipe."""
    options = {key: value for key, value in tool_options().items() if key in ("cwd", "env", "text")}
    return subprocess.Popen(tool_command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def wait_for(process, start):
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f"the tool ended without a line that starts with {start!r}")


@pytest.fixture(scope="module")
def whole(motion, tmp_path_factory):
    """An uninterrupted run of 12 steps, two loader workers."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = tool("train_net", *small_run(motion, run), "data.workers=2")
    assert done.returncode == 0, done.stderr
    return run


def test_a_run_leaves_what_the_readme_says(whole):
    names = {path.name for path in whole.iterdir()}
    assert names == {"config.yaml", "log.jsonl", "tensorboard", "checkpoints", "curves.png", ".lock"}
    assert len(losses(whole)) == 12
    assert final(whole)["classes"][:2] == ["right", "left"]


def test_interrupted_at_step_7_and_resumed_is_bitwise_the_same(motion, whole, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), "data.workers=2"]
    with start_tool("train_net", *arguments) as process:
        wait_for(process, "step 6/")
        process.send_signal(signal.SIGINT)  # comes during step 7, which is finished first
        said = process.stdout.read()
    assert process.returncode == 130, said
    assert "the same command goes on from" in said
    stopped = list((tmp_path / "run" / "checkpoints").iterdir())
    assert len(stopped) == 1
    at = int(stopped[0].stem.removeprefix("step_"))
    assert 7 <= at < 12
    again = tool("train_net", *arguments, "--resume")
    assert again.returncode == 0, again.stderr
    assert f"going on from {stopped[0]}" in again.stdout
    assert_same(final(tmp_path / "run")["model"], final(whole)["model"])
    assert_same(final(tmp_path / "run")["optimizer"], final(whole)["optimizer"])


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_a_batch_and_give_the_same_losses(motion, tmp_path, processes):
    # One batch of 4 on 3 processes: shares of 2, 1 and 1. Dropout draws differently on each process, so it is off.
    runs = {}
    for count in (1, processes):
        run = tmp_path / str(count)
        settings = ["model.dropout=0.0", "train.steps=5", "data.workers=0"]
        done = tool("train_net", *small_run(motion, run), *settings, processes=count)
        assert done.returncode == 0, done.stderr
        runs[count] = losses(run)
    assert runs[1].keys() == runs[processes].keys() == set(range(1, 6))
    for step, loss in runs[1].items():
        assert runs[processes][step] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("processes", [1, 2])
def test_two_runs_in_one_folder_are_refused(motion, tmp_path, processes):
    with locked(tmp_path):
        done = tool("train_net", *small_run(motion, tmp_path), processes=processes)
    assert done.returncode == (2 if processes == 1 else 1)  # torchrun's own status
    assert f"error: {tmp_path}: another run is at work in this folder (process {os.getpid()} on" in done.stderr
    assert "[rank1]" not in done.stderr  # the others say it too, instead of an error of the lost connection
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_changed_config_is_refused_with_the_difference(motion, whole):
    changed = tool("train_net", *small_run(motion, whole), "train.lr=0.5", "model.heads=4")
    assert changed.returncode == 2
    assert "train.lr: 0.5 | 0.001" in changed.stderr
    assert "model.heads: 4 | 2" in changed.stderr
    assert "Traceback" not in changed.stderr


def test_a_finished_run_is_not_trained_again(motion, whole):
    before = final(whole)
    done = tool("train_net", *small_run(motion, whole), "data.workers=2")
    assert done.returncode == 0, done.stderr
    assert_same(final(whole), before)


def test_resume_insists_on_a_checkpoint(motion, tmp_path):
    done = tool("train_net", *small_run(motion, tmp_path / "run"), "--resume")
    assert done.returncode == 2
    assert "--resume, but there is no checkpoint" in done.stderr


@pytest.fixture(scope="module")
def bad_list(motion, tmp_path_factory):
    """Three good videos and two broken ones: text, and a file cut off in its header."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "cut.mp4").write_bytes((motion / "val" / "00000.mp4").read_bytes()[:60])
    good = [str(motion / "train" / f"{i:05d}.mp4") for i in range(3)]
    lines = [f"{good[0]} 0", "text.mp4 1", f"{good[1]} 1", "cut.mp4 2", f"{good[2]} 2"]
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


def test_broken_videos_are_skipped_counted_and_named(motion, bad_list, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), f"data.train={bad_list}", "data.max_bad_fraction=0.5"]
    done = tool("train_net", *arguments)
    assert done.returncode == 0, done.stderr
    assert "(1 of 5 so far)" in done.stdout
    assert "(2 of 5 so far)" in done.stdout
    assert "text.mp4" in done.stdout
    assert "cut.mp4" in done.stdout
    assert len(final(tmp_path / "run")["bad"]) == 2


def test_too_many_broken_videos_stop_the_run(motion, bad_list, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), f"data.train={bad_list}", "data.max_bad_fraction=0.3"]
    done = tool("train_net", *arguments)
    assert done.returncode == 2
    assert "2 of 5 videos cannot be decoded, and 1 may fail (data.max_bad_fraction=0.3)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_whose_videos_all_fail_steps_along(motion, bad_list, tmp_path):
    # Batches of 2 on 2 processes: again and again one process has nothing but a broken video.
    settings = [f"data.train={bad_list}", "data.max_bad_fraction=0.5", "train.batch=2", "data.workers=0"]
    done = tool("train_net", *small_run(motion, tmp_path / "run"), *settings, processes=2)
    assert done.returncode == 0, done.stderr
    assert len(final(tmp_path / "run")["bad"]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.mixer.name=mhsaa", "there is no mixer 'mhsaa'; did you mean 'mhsa'?"),
        ("data.framse=3", "unknown key; did you mean 'frames'?"),
        ("model.token_learner.after_block=2", "set model.token_learner.after_block to 0 … 1"),
        ("model.pool=cls", "set model.pool=mean"),
        ("data.size=36", "36"),
        ("train.init=no/such.pt", "no/such.pt: no such checkpoint file"),
        ("train.init=timm:no_such_model", "timm cannot get these weights"),
        ("data.classes=LICENSE", "LICENSE:"),
        ("data.val=tests/none.csv", "tests/none.csv: no such list"),
        ("data.root=/nowhere", "files looked for are missing"),
    ],
)
def test_what_a_user_can_mend_is_said_in_one_message(motion, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(ROOT)
    with pytest.raises(VidtokError, match=re.escape(message)) as error:
        train.run([*small_run(motion, tmp_path / "run"), change])
    assert len(str(error.value).splitlines()) < 25


def test_without_the_data_the_tool_names_the_list_and_how_to_make_it():
    done = tool("train_net", "--cfg", "configs/k400_vivit_tl8.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: data/k400/train.csv: no such list.\nWrite one line per video")
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_fewer_classes_than_labels_is_told(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "four.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(VidtokError, match="is too high: there are 4 classes, so labels go from 0 to 3"):
        train.run([*small_run(motion, tmp_path / "run"), f"data.classes={tmp_path / 'four.txt'}"])


def two_labels(motion, folder):
    """The small set with a second label for every video, and a validation video that is none."""
    for name in ("train", "val"):
        lines = [line.rsplit(maxsplit=1) for line in (motion / f"{name}.csv").read_text().splitlines()]
        rows = [f"{motion / path} {label} {8 + (int(label) < 4)}\n" for path, label in lines]
        rows += [f"{folder / 'text.mp4'} 0 9\n"] * (name == "val")
        (folder / f"{name}.csv").write_text("".join(rows))
    (folder / "text.mp4").write_text("no video")
    (folder / "classes.txt").write_text((motion / "classes.txt").read_text() + "turns or grows\nmoves along\n")
    lists = [f"data.{name}={folder / name}.csv" for name in ("train", "val")]
    return [*lists, f"data.classes={folder}/classes.txt", "data.format=paths"]


def test_videos_with_several_labels(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    arguments = [*small_run(motion, tmp_path / "run"), *two_labels(motion, tmp_path), "data.workers=0"]
    with pytest.raises(VidtokError, match=r"has 2 labels; one is needed\. For videos with several labels"):
        train.run(arguments)
    settings = ["train.loss=sigmoid", "eval.every=6", "eval.after_train=true", "eval.aggregate=max", "eval.clips=2"]
    assert train.run([*arguments, *settings]) == 1  # for the video that failed
    line = capsys.readouterr().out.splitlines()[-2]
    figures = r"mAP 0\.\d{3} \| 1 view mAP 0\.\d{3} \| readable only mAP 0\.\d{3}"
    assert re.search(r" val n=18 failed=1 \| 2x3 views, max score \| " + figures, line)
    results = json.loads((tmp_path / "run" / "test" / "results.json").read_text())
    assert 0 < results["figures"]["mAP"] < results["figures"]["mAP_readable"] <= 1
    assert results["figures"].keys() <= {"n", "failed", "damaged", "mAP", "mAP_readable", "empty_classes"}
    rows = (tmp_path / "run" / "test" / "predictions.csv").read_text().splitlines()
    assert len(rows) == 18
    assert all(row.split(",")[1].split(";")[1] in ("turns or grows", "moves along") for row in rows[1:])
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    checks = [line for line in lines if line["event"] == "val"]
    assert [check["step"] for check in checks] == [6, 12]
    assert all(check.keys() == {"event", "time", "step", "mAP"} for check in checks)


def write_pictures(folder):
    """Folders of red and of blue pictures, in several formats and sizes."""
    for split, name, colour in itertools.product(("train", "val"), ("blue", "red"), range(4)):
        path = folder / split / name / f"{colour}{('.jpg', '.JPEG', '.png', '.webp')[colour]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = 150 + 30 * colour
        Image.new("RGB", (40 + colour, 36), (shade, 20, 20) if name == "red" else (20, 20, shade)).save(path)


PICTURES = ["data.frames=1", "data.stride=1", "model.tubelet=[1, 8, 8]", "data.workers=0", "train.lr=0.01"]


def test_pictures_are_clips_of_one_frame(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    write_pictures(tmp_path)
    folders = [f"data.train={tmp_path / 'train'}", f"data.val={tmp_path / 'val'}", "data.classes=null"]
    settings = [
        *PICTURES,
        "train.steps=24",
        "eval.opposites=[]",
        "eval.after_train=true",
        "eval.clips=1",
        "eval.crops=1",
    ]
    assert train.run([*small_run(motion, tmp_path / "run"), *folders, *settings]) == 0
    assert "val n=8 failed=0 | 1x1 views, mean logits | top1 1.000 | 1 view top1 1.000" in capsys.readouterr().out
    assert tuple(final(tmp_path / "run", step=24)["classes"]) == ("blue", "red")


def test_a_list_of_pictures(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    write_pictures(tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/*/*"))
    (tmp_path / "list.csv").write_text("".join(f"{path} {int(path.parts[1] == 'red')}\n" for path in files))
    (tmp_path / "classes.txt").write_text("blue\nred\n")
    settings = [f"data.{name}={tmp_path / 'list.csv'}" for name in ("train", "val")]
    settings += [f"data.classes={tmp_path / 'classes.txt'}", *PICTURES, "train.steps=2"]
    assert train.run([*small_run(motion, tmp_path / "run"), *settings]) == 0
    assert losses(tmp_path / "run").keys() == {1, 2}


def test_a_second_interrupt_leaves_at_once(motion, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), "train.steps=100000", "train.batch=64", "data.workers=0"]
    with start_tool("train_net", *arguments) as process:
        wait_for(process, "step 1/")
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode in (130, -signal.SIGINT)
    assert len(list((tmp_path / "run").glob("checkpoints/*.tmp"))) <= 1


def test_mirroring_left_and_right_is_warned_of(motion, tmp_path):
    _, cfg, *settings = small_run(motion, tmp_path)
    for flip, wanted in (("true", ["2 of 8 class names tell left from right: right, left; "]), ("false", [])):
        config = load_config(ROOT / cfg, [*settings, f"data.flip={flip}"])
        said = runs_train.start_warnings(config, build_lists(config), None)
        found = [text for text in said if "left from right" in text]
        assert [sign in text for sign, text in zip(wanted, found, strict=True)] == [True] * len(wanted)


PARTS = [
    *("train.lr_scale={new: 10.0}", "train.layer_decay=0.8", "train.freeze=[tokenizer.*]", "train.accumulate=2"),
    *("train.ema_decay=0.9", "train.mixup_alpha=0.8", "train.checkpoint_blocks=true", "train.lr_batch=8"),
]


@pytest.fixture
def fine_tuning(motion, whole, tmp_path, monkeypatch):
    """Arguments of a run with many parts that starts from another run's weights, for classes with other names."""
    monkeypatch.chdir(ROOT)
    names = (motion / "classes.txt").read_text().replace("right", "east").replace("left", "west")
    (tmp_path / "classes.txt").write_text(names)
    (tmp_path / "start.pt").write_bytes((whole / "checkpoints" / "step_00000012.pt").read_bytes())
    settings = [f"data.classes={tmp_path / 'classes.txt'}", f"train.init={tmp_path / 'start.pt'}", "data.workers=0"]
    return lambda run: [*small_run(motion, run), *settings, *PARTS, "eval.opposites=[]", "train.batch=5"]


def interrupted_at(step, monkeypatch):
    """Ctrl-C while the batch of this step (from 0) is waited for."""
    build = runs_train.build_train_batches

    def batches(*args, **options):
        for number, batch in enumerate(build(*args, **options)):
            if number == step:
                signal.raise_signal(signal.SIGINT)
            yield batch

    monkeypatch.setattr(runs_train, "build_train_batches", batches)


def test_every_part_goes_on_bitwise_and_needs_no_initial_weights_again(fine_tuning, whole, tmp_path, capsys):
    assert train.run([*fine_tuning(tmp_path / "once"), "eval.after_train=true", "eval.clips=1"]) == 0
    said = capsys.readouterr().out
    assert "learning rate: 0.001 for 8 clips per step is 0.000625 for 5" in said
    assert "2 new parameters have 10 times the rate of the others" in said
    assert "M parameters" in re.search(r"frozen: all but .*", said)[0]
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(4, patch)
        assert train.run(fine_tuning(tmp_path / "twice")) == 130
    (tmp_path / "start.pt").unlink()
    assert train.run(fine_tuning(tmp_path / "twice")) == 0
    once, twice = (final(tmp_path / name) for name in ("once", "twice"))
    for part in ("model", "ema", "optimizer"):
        assert_same(once[part], twice[part])
    frozen = "network.tokenizer.projection.weight"
    assert torch.equal(once["model"][frozen], final(whole)["model"][frozen])
    kernel = "network.encoder.blocks.0.mlp.expand.weight"
    assert not torch.equal(once["model"][kernel], final(whole)["model"][kernel])
    assert not torch.equal(once["model"][kernel], once["ema"][kernel])

    # What is tested, at the end of a run and later, are the averages.
    assert (
        test_tool.run(["--checkpoint", str(tmp_path / "once"), "--out", str(tmp_path / "later"), "eval.clips=1"]) == 0
    )
    predictions = [(tmp_path / name / "predictions.csv").read_text() for name in ("once/test", "later")]
    assert predictions[0] == predictions[1]


def test_a_linear_probe_is_a_config(motion, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = [f"train.init={whole}", 'train.freeze=["*", "!head.*"]', "data.workers=0", "train.steps=3"]
    assert train.run([*small_run(motion, tmp_path / "run"), *settings]) == 0
    before, behind = final(whole)["model"], final(tmp_path / "run", step=3)["model"]
    assert {name for name in before if not torch.equal(before[name], behind[name])} == {
        "network.head.logits.weight",
        "network.head.logits.bias",
    }


def test_what_is_probably_not_meant_is_said_at_the_start(motion, tmp_path):
    (tmp_path / "classes.txt").write_text((motion / "classes.txt").read_text() + "never seen\n")
    _, cfg, *settings = small_run(motion, tmp_path / "run")
    settings += [f"data.classes={tmp_path / 'classes.txt'}", "train.lr=0.5", "train.lr_scale={new: 10.0}"]
    config = load_config(ROOT / cfg, settings)
    rate, empty, new = runs_train.start_warnings(config, build_lists(config), None)
    assert "the highest learning rate is 0.5, far above what adamw is used with" in rate
    assert "1 of 9 classes have no video in" in empty
    assert "never seen" in empty
    assert "train.lr_scale.new has no effect without train.init" in new


def test_the_best_validation_is_kept_and_can_be_tested(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run = tmp_path / "run"
    arguments = [*small_run(motion, run), "eval.every=3", "train.save_every=2", "data.workers=0"]
    assert train.run(arguments) == 0
    checks = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    checks = [(line["top1"], -line["step"]) for line in checks if line["event"] == "val"]
    best = load_checkpoint(run / "checkpoints" / "best.pt")
    assert (best.best["top1"], -best.best["step"]) == max(checks)
    assert best.best["step"] == best.step
    assert test_tool.run(["--checkpoint", str(run / "checkpoints" / "best.pt"), "eval.clips=1", "eval.crops=1"]) == 0
    results = json.loads((run / "test" / "results.json").read_text())
    assert results["figures"]["top1"] == best.best["top1"]

    # A damaged newest checkpoint: the run goes on from the one before, says so, and comes to the same end.
    expected, newest = final(run)["model"], run / "checkpoints" / "step_00000012.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    capsys.readouterr()
    assert train.run(arguments) == 0
    said = capsys.readouterr().out
    assert f"warning: {newest}: damaged" in said
    assert "the run goes on from the one before: " in said
    assert "step_00000010.pt" in said
    assert_same(final(run)["model"], expected)


@pytest.mark.slow
def test_a_compiled_network_trains_as_the_other_does(motion, tmp_path):
    runs = {}
    for name, changes in (("plain", []), ("compiled", ["train.compile=true", "train.checkpoint_blocks=true"])):
        settings = ["model.dropout=0.0", "train.steps=4", "data.workers=0", *changes]
        done = tool("train_net", *small_run(motion, tmp_path / name), *settings, timeout=560)
        assert done.returncode == 0, done.stderr
        runs[name] = losses(tmp_path / name)
    assert runs["plain"].keys() == runs["compiled"].keys() == set(range(1, 5))
    for step, loss in runs["plain"].items():
        assert runs["compiled"][step] == pytest.approx(loss, abs=1e-5)


def test_tensorboard_shows_clips_and_confusions(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = tmp_path / "run"
    settings = ["train.steps=2", "eval.every=1", "eval.after_train=true", "eval.clips=1", "eval.crops=1"]
    assert train.run([*small_run(motion, run), "data.workers=0", *settings]) == 0
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    steps = {name: [picture.step for picture in board.Images(name)] for name in board.Tags()["images"]}
    assert steps == {"train/examples": [0], "val/confusion": [1, 2], "test/confusion": [2]}
    with Image.open(run / "test" / "confusion.png") as kept:
        (shown,) = board.Images("test/confusion")
        assert kept.size == (shown.width, shown.height)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    (tested,) = (line for line in lines if line["event"] == "test")
    assert tested["n"] == 17
    assert tested["top1"] == json.loads((run / "test" / "results.json").read_text())["figures"]["top1"]


def test_names_that_are_not_utf8_on_a_narrow_console(motion, tmp_path):
    """Training, a broken video, validation, predictions: all that writes a path survives it."""
    names, videos = {}, tmp_path / "videos"
    for split, count in (("train", 24), ("val", 17)):
        lines = (motion / f"{split}.csv").read_text().splitlines()
        for row, line in enumerate(lines[:count]):
            name, label = line.rsplit(maxsplit=1)
            names[split] = [*names.get(split, []), f"{split}/\udce9 {row}.mp4 {label}\n"]
            (videos / split).mkdir(parents=True, exist_ok=True)
            (videos / f"{split}/\udce9 {row}.mp4").write_bytes(b"broken" if row == 3 else (motion / name).read_bytes())
        (tmp_path / f"{split}.csv").write_bytes("".join(names[split]).encode(errors="surrogateescape"))
    lists = [f"data.{split}={tmp_path / f'{split}.csv'}" for split in names]
    more = [f"data.root={videos}", "data.max_bad_fraction=0.5", "eval.after_train=true", "eval.clips=1", "eval.crops=1"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    done = tool("train_net", *small_run(motion, tmp_path / "run"), *lists, *more, "--allow-missing", env=env)
    assert done.returncode == 0, done.stderr
    assert "cannot decode, skipped" in done.stdout
    assert "\\udce9 3.mp4" in done.stdout
    test = tmp_path / "run" / "test"
    assert "val/\\udce9 0.mp4,right" in (test / "predictions.csv").read_text(encoding="utf-8")
    assert "\\udce9 3.mp4" in (test / "failed.csv").read_text(encoding="utf-8")
    events = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert any("\\udce9 3.mp4" in event for event in events)


class Edges(Network):
    """A network that goes by the first columns of the picture: bright ones are class 1."""

    grid = (4, 20, 20)
    blocks = ()

    def beside_blocks(self):
        return []

    def tokens(self, x):
        return x.movedim(2, -1)

    def logits(self, x):
        edge = x[..., :2].mean((1, 2, 3, 4))
        return torch.stack([-edge, edge], dim=1)

    def reset_classifier(self, classes):
        raise AssertionError("nobody asks for it")


@pytest.mark.parametrize(("fit", "tested"), [("crop", 0.5), ("squeeze", 1.0), ("pad", 1.0)])
def test_testing_views_that_miss_what_training_saw_are_told(tmp_path, fit, tested):
    """Wide videos whose class stands at their left edge, which training saw (in the only box that fits its range)."""
    lines = []
    for number in range(12):
        film = torch.full((8, 3, 24, 96), 20, dtype=torch.uint8)
        film[..., :12] = 235 * (number % 2)
        write_video(tmp_path / f"{number}.mp4", film, fps=12)
        lines.append(f"{number}.mp4 {number % 2}")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "classes.txt").write_text("dark\nbright\n")
    views = ["data.short_side=20", "data.scale=[1.0, 1.0]", "data.ratio=[1.0, 4.0]"]
    if fit != "crop":
        views = [f"data.fit={fit}", "data.short_side=null", "data.scale=[0.9, 1.0]", "data.ratio=[0.9, 1.1]"]
    _, cfg, *overrides = small_run(tmp_path, tmp_path / "run")
    lists = [f"data.train={tmp_path / 'list.csv'}", f"data.val={tmp_path / 'list.csv'}"]
    wide = ["data.size=20", "data.frames=4", "eval.crops=1"]
    config = load_config(
        cfg, [*overrides, *lists, *views, *wide, "eval.clips=1", "data.workers=0", "eval.opposites=[]"]
    )
    lists = build_lists(config)
    model = Classifier(Edges(frames=4, size=20), mean=[0.3] * 3, std=[0.5] * 3, classes=lists.classes)
    log = Log(tmp_path / "run", steps=1)
    if fit == "pad":  # bars above and below: the edge is a quarter as bright
        model = Classifier(Edges(frames=4, size=20), mean=[0.1] * 3, std=[0.5] * 3, classes=lists.classes)
    with start_parallel("cpu") as parallel:
        found = compare_geometries(config, model, lists.train, parallel, log)
    log.close()
    assert found is not None
    assert found["n"] == 12
    assert (found["top1_testing_views"], found["top1_training_crops"]) == (tested, 1.0)
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    warnings = [event["text"] for event in events if event["event"] == "warning"]
    assert len(warnings) == (fit == "crop")
    warned = start_warnings(config, lists, None)
    assert any("no box of 100 to 100 %" in text for text in warned) == (fit == "crop")


def test_a_clip_longer_than_the_videos_is_told_at_the_start(motion, tmp_path):
    _, cfg, *overrides = small_run(motion, tmp_path / "run")
    config = load_config(cfg, [*overrides, "data.frames=64", "data.stride=32"])
    (warned,) = [text for text in start_warnings(config, build_lists(config), None) if "longer than" in text]
    assert "a clip of 64 frames with stride 32 is longer than 16 of 16 training videos looked at" in warned
    assert "has 12 frames" in warned
