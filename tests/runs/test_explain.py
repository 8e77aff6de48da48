"""What the tool says is what training and testing see."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import ROOT, small_run, tool
from tests.runs.commands import asks_for_the_defaults
from vidtok.build import build_lists
from vidtok.build_data import eval_views, train_views
from vidtok.cli import explain
from vidtok.config_io import load_config
from vidtok.data.dataset import VideoDataset
from vidtok.errors import ConfigError, DecodeError
from vidtok.runs.explain import box_words, run_explain, shown_places
from vidtok.types import Box
from vidtok.video.reader import open_video

CFG = str(ROOT / "configs/k400_vivit_tl8.yaml")


@pytest.fixture
def say(motion, tmp_path, monkeypatch, capsys):
    """Run the tool for the small set of videos; its words."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        _, _, *overrides = small_run(motion, tmp_path / "run")
        assert explain.run([str(ROOT / "configs/motion_vivit_tl8.yaml"), *overrides, *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return run


def test_without_a_video_no_sheet_is_written(say, tmp_path):
    assert "8 frames x stride 1" in say()
    assert not list(tmp_path.glob("*.png"))
    with pytest.raises(ConfigError, match="sheet of a video"):
        explain.run([CFG, "--train"])
    with pytest.raises(ConfigError, match=r"one video at a time.*a\.mp4, b\.mp4"):
        explain.run([CFG, "a.mp4", "b.mp4"])


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def test_testing_views_are_those_of_testing(say, motion, tmp_path):
    video = motion / "val" / "00003.mp4"
    said = say(video, "data.stride=1")
    config = load_config(ROOT / "configs/motion_vivit_tl8.yaml", small_run(motion, tmp_path)[2:])
    views = eval_views(config)
    assert f"record 3 of {motion / 'val.csv'}" in said
    clips = re.findall(r"clip (\d) of 4: frames (\d+) to (\d+), one every 1; ([\d.]+) to ([\d.]+) s", said)
    planned = views.views(torch.arange(12).double() / 12, np.random.default_rng(0))[::3]
    assert len(clips) == 4
    for (number, first, last, begin, end), view in zip(clips, planned, strict=True):
        assert int(number) == view.clip + 1
        assert [int(first), int(last)] == [int(view.indices[0]), int(view.indices[-1])]
        assert (float(begin), float(end)) == (round(int(first) / 12, 2), round(int(last) / 12, 2))
    crops = re.findall(r"crop (\w+): columns (\d+) to (\d+), rows (\d+) to (\d+), .* scaled to 48 x 40", said)
    assert crops == [
        ("left", "0", "31", "4", "35"),
        ("centre", "8", "39", "4", "35"),
        ("right", "16", "47", "4", "35"),
    ]
    with Image.open(tmp_path / "explain.png") as sheet:
        assert sheet.size[0] > 700


def test_training_clips_are_those_of_training(say, motion, tmp_path):
    video = motion / "train" / "00005.mp4"
    said = say(video, "--train", "--out", "sheets/train.png", "data.repeats=2")
    assert f"record 5 of {motion / 'train.csv'}" in said
    config = load_config(ROOT / "configs/motion_vivit_tl8.yaml", [*small_run(motion, tmp_path)[2:], "data.repeats=2"])
    lists = build_lists(config)
    data = VideoDataset(lists.train, views=train_views(config.data), seed=config.run.seed)
    pattern = r"epoch (\d), clip (\d) of 2: frames (\d+) to (\d+), .*; columns (\d+) to (\d+), rows (.*), of"
    lines = re.findall(pattern, said)
    assert [(line[0], line[1]) for line in lines] == [(e, c) for e in "012" for c in "12"]
    for epoch, clip, first, last, left, right, rows in lines:
        # Cut by hand what the words say, and compare with what training sees.
        top, bottom = numbers(rows)
        with open_video(video) as reader:
            pixels = reader.frames_at(list(range(int(first), int(last) + 1))).pixels
        box = pixels[:, :, top : bottom + 1, int(left) : int(right) + 1].float()
        cut = torch.nn.functional.interpolate(box, size=(32, 32), mode="bilinear", antialias=True)
        seen = data.sample(record=5, epoch=int(epoch), view=int(clip) - 1).views[0]
        assert (cut - seen.float()).abs().max() <= 1
    with Image.open(tmp_path / "sheets" / "train.png") as sheet:
        assert sheet.size[1] > 6 * 240


def test_a_list_that_does_not_exist_is_not_spoken_of(say, motion, tmp_path):
    said = say(motion / "val" / "00003.mp4", "--out", "a.png", "data.train=none.csv", "data.val=nowhere.csv")
    assert "as if it were record 0: there is no list nowhere.csv" in said
    assert "as if it were record 0: there is no list none.csv" in said


def test_a_video_of_no_list_is_explained_too(say, motion, tmp_path):
    other = tmp_path / "other.mp4"
    other.write_bytes((motion / "train" / "00001.mp4").read_bytes())
    said = say(other)
    assert said.count("as if it were record 0") == 2
    assert "12 frames in 1.00 s, 12 fps, 96 x 80 pixels" in said
    with pytest.raises(DecodeError, match=r"none\.mp4"):
        say(tmp_path / "none.mp4")


@pytest.mark.slow
def test_the_script():
    done = tool("explain", "configs/k400_vivit_tl8.yaml", "data.stride=3")
    assert done.returncode == 0, done.stderr
    assert "32 frames x stride 3, a span of 94 frames" in done.stdout


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("explain", run_explain, "a")


def test_boxes_in_words_and_frames_in_a_row():
    box = Box(top=2, left=3, height=10, width=20)
    assert box_words(box) == "columns 3 to 22, rows 2 to 11"
    assert box_words(replace(box, flip=True)) == "columns 3 to 22, rows 2 to 11, mirrored"
    assert shown_places(5).tolist() == [0, 1, 2, 3, 4]
    assert shown_places(8).tolist() == list(range(8))
    assert shown_places(15).tolist() == list(range(0, 15, 2))
