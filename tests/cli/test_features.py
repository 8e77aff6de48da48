"""`vidtok features`: what it hands to run_features, what it says at the end, and its exit status."""

from pathlib import Path

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage
from vidtok.runs.predict import Labelled
from vidtok.types import Failure

WELL = Labelled(done=3, before=2, failed=())
FAILED = Labelled(done=3, before=2, failed=(Failure(index=0, path=Path("a.mp4"), cause="no video", key="a.mp4"),))


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.features", "run_features", gives=WELL)


def test_what_it_takes():
    assert usage("features") == (
        "features [-h] --model MODEL --out FILE [--tokens] [--depth DEPTH] [--clips CLIPS] [--root ROOT] "
        "[--backend {pyav,torchcodec,decord,frames}] [--device {auto,cpu,cuda}] [--allow-plugins] [--allow-missing] "
        "[--engine {here,ray}] [--actors N] [--ray-address ADDRESS] "
        "VIDEO|FOLDER|LIST|SHARDS [VIDEO|FOLDER|LIST|SHARDS ...]"
    )
    assert "clips over each video (default: 1)" in done("features", "--help")


def test_a_video_alone(work):
    assert done("features", "--model", "runs/mine", "a.mp4", "--out", "a.npz") == (
        "a.npz: 3 videos encoded, 2 before, 0 failed\n"
    )
    assert work.take() == {
        "model": "runs/mine",
        "sources": ["a.mp4"],
        "out": "a.npz",
        "kind": "pooled",
        "depth": None,
        "clips": 1,
        "root": None,
        "backend": "pyav",
        "device": "auto",
        "allow_plugins": False,
        "engine": "here",
        "actors": None,
        "ray_address": None,
    }


def test_all_options(work):
    done(
        "features",
        *("--model", "runs/mine", "a.mp4", "list.csv", "--out", "a.parquet", "--tokens", "--depth", "4"),
        *("--clips", "2", "--root", "clips", "--backend", "decord", "--device", "cpu", "--allow-plugins"),
        *("--engine", "ray", "--actors", "3", "--ray-address", "auto"),
    )
    assert work.take() == {
        "model": "runs/mine",
        "sources": ["a.mp4", "list.csv"],
        "out": "a.parquet",
        "kind": "tokens",
        "depth": 4,
        "clips": 2,
        "root": "clips",
        "backend": "decord",
        "device": "cpu",
        "allow_plugins": True,
        "engine": "ray",
        "actors": 3,
        "ray_address": "auto",
    }


def test_failed_videos_are_its_status_unless_they_may_be(work):
    words = ("--model", "runs/mine", "a.mp4", "--out", "a.npz")
    assert ended("features", *words, "--allow-missing").returncode == 0
    work.gives = FAILED
    end = ended("features", *words)
    assert end.stdout == "a.npz: 3 videos encoded, 2 before, 1 failed\n"
    assert end.returncode == 1
    assert ended("features", *words, "--allow-missing").returncode == 0


def test_errors_name_options(work):
    assert refused("features", "a.mp4", "--out", "a.npz").endswith("required: --model")
    assert refused("features", "a.mp4", "--model", "runs/mine").endswith("required: --out")
    words = ("--model", "runs/mine", "a.mp4", "--out", "a.npz")
    assert told_as(work, "ray_address", "features", *words) == "--ray-address"
