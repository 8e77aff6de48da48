"""A Ray Data job over videos: the rows of `predict`, each once, whatever becomes of an actor.

Ray is in no extra of the tests; they run where `make ray` was said.
"""

import csv
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pyarrow
import pytest
import torch

from tests.infer.test_predict import model
from tests.runs.dying import Dying
from tests.video.clips import make_clip
from vidtok.cli import features, predict
from vidtok.errors import ConfigError, DataError
from vidtok.runs import ray_job
from vidtok.runs.features import run_features
from vidtok.runs.parquet import read_parquet
from vidtok.runs.predict import run_predict
from vidtok.runs.ray_job import STORE_BYTES, Actor, Arrays, actors_of, check_ray, found_in, joined, ray_rows
from vidtok.runs.ray_work import Labelling
from vidtok.types import Failure

HAS_RAY = importlib.util.find_spec("ray") is not None


class Wrong:
    """Work that finds what a user can mend."""

    held_bytes = 0

    def start(self, device: torch.device) -> None:
        assert torch.get_num_threads() == 1

    def __call__(self, paths: Sequence[Path]) -> Iterator[Arrays]:
        yield {"a": torch.zeros(1)}
        raise DataError(f"{paths[1]}: a package is missing")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for k in range(16):
        make_clip(folder / f"{k:02}.mp4", frames=8 + k % 5)
    (folder / "03.mp4").write_text("no video")
    return folder


def rows_of(file: Path) -> dict[str, list[float]]:
    rows = list(csv.reader(file.read_text("utf-8").splitlines()))[1:]
    assert len({row[0] for row in rows}) == len(rows), "none twice"
    return {row[0]: [float(cell) for cell in row[1:]] for row in rows}


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: make ray")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_rows_are_those_of_predict_and_none_is_lost_or_twice_when_actors_die(videos, tmp_path, monkeypatch):
    import ray

    net, paths = model(), sorted(videos.iterdir())
    here = run_predict(net, [videos], out=tmp_path / "here.csv", all_scores=True)
    wanted = rows_of(tmp_path / "here.csv")
    assert (here.done, len(here.failed), len(wanted)) == (15, 1, 15)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else 15, and other tests go first
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**28, log_to_driver=False)
    try:
        # The whole command: rows, failures, Parquet, and a second call that does only what is missing.
        out = tmp_path / "ray.parquet"
        run_predict(net, paths[:8], out=out, all_scores=True)  # as if the job had been stopped here
        both = run_predict(net, [videos], out=out, all_scores=True, engine="ray", actors=2, device="cpu")
        assert (both.done, both.before, [each.path for each in both.failed]) == (8, 7, [videos / "03.mp4"])
        found = {row[0]: row[1:] for row in read_parquet(out)[1]}
        assert found.keys() == wanted.keys()
        for name, scores in found.items():
            assert scores == pytest.approx(wanted[name], abs=2e-6)
        # An actor that is killed in the middle, and a video that kills every one.
        folder = tmp_path / "seen"
        folder.mkdir()
        inner = Labelling(model=net, clips=1, crops=1, workers=0, backend="pyav")
        work = Dying(inner, folder, once="05.mp4", always="13.mp4")
        rows = list(ray_rows(work, paths, actors=2, device="cpu", block=2))
        assert sorted(index for index, _ in rows) == list(range(16))
        failed = {index: each.cause for index, each in rows if isinstance(each, Failure)}
        assert failed.keys() == {3, 13}
        assert failed[3] == here.failed[0].cause
        assert failed[13].startswith(f"{paths[13]}: the process that read it died")
        for index, each in rows:
            if index not in failed:
                assert not isinstance(each, Failure)
                assert each["scores"].tolist() == pytest.approx(wanted[str(paths[index])], abs=2e-6)
        assert (folder / "died").exists()
        assert len(list(folder.glob("process *"))) >= 3, "two actors, and those in the place of dead ones"
        assert len((folder / "done 04.mp4").read_text()) >= 2, "the block of the video that was interrupted ran again"
        with pytest.raises(ConfigError, match="`actors`=3, with 1 cores each: Ray has 2 cores, which is enough for 2"):
            list(ray_rows(work, paths[:3], actors=3, device="cpu"))
    finally:
        ray.shutdown()


def test_an_actor_gives_a_row_for_each_video_and_hands_on_what_is_raised(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda held: held))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    paths = [tmp_path / "other", tmp_path / os.fsdecode(b"\xff.mp4"), tmp_path / "b.mp4"]

    class Own(Wrong):
        def __call__(self, paths: Sequence[Path]) -> Iterator[Arrays | Failure]:
            yield {"a": torch.arange(6.0).reshape(2, 3).T}
            yield Failure(index=0, path=paths[1], cause=f"{paths[1]}: no", key="")

    def rows_of(work, places):
        batch = pyarrow.table({"index": places, "path": [os.fsencode(paths[place]) for place in places]})
        actor = Actor(work, False, str(tmp_path))
        return [row for table in actor(batch) for row in table.to_pylist()]

    first, second = rows_of(Own(), [2, 1])
    assert (first["index"], second["index"]) == (2, 1)
    arrays = found_in(first, paths)
    assert not isinstance(arrays, Failure)
    assert arrays["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found_in(second, paths) == Failure(index=1, path=paths[1], cause=f"{paths[1]}: no", key=str(paths[1]))
    good, raised = rows_of(Wrong(), [0, 2])
    assert good["index"] == 0
    with pytest.raises(DataError, match=r"b\.mp4: a package is missing"):
        found_in(raised, paths)
    *_, raised = rows_of(Own(), [0, 1, 2])  # one too few
    with pytest.raises(ValueError, match="shorter"):
        found_in(raised, paths)
    torch.set_num_threads(threads)


def test_actors_are_as_many_as_there_is_room_for():
    assert actors_of({"CPU": 8.0}, actors=None, cores=1, device="auto") == (8, False)
    assert actors_of({"CPU": 8.0}, actors=None, cores=3, device="auto") == (2, False)
    assert actors_of({"CPU": 8.0, "GPU": 2.0}, actors=None, cores=3, device="auto") == (2, True)
    assert actors_of({"CPU": 8.0, "GPU": 4.0}, actors=None, cores=4, device="cuda") == (2, True)
    assert actors_of({"CPU": 8.0, "GPU": 2.0}, actors=5, cores=1, device="cpu") == (5, False)
    with pytest.raises(ConfigError, match="Ray finds no GPU"):
        actors_of({"CPU": 8.0}, actors=None, cores=1, device="cuda")
    with pytest.raises(ConfigError, match=r"`actors`=3, .* Ray has 8 cores and 2 GPUs, which is enough for 2"):
        actors_of({"CPU": 8.0, "GPU": 2.0}, actors=3, cores=1, device="auto")
    with pytest.raises(ConfigError, match="Ray has 2 cores, which is enough for 0"):
        actors_of({"CPU": 2.0}, actors=None, cores=3, device="auto")


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_it_is_said_how_to_get_it(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=8)
    wanted = r"`engine`=ray needs Ray Data: pip install 'vidtok\[ray\]'"
    for work in (run_predict, run_features):
        with pytest.raises(ConfigError, match=wanted):
            work(model(), [tmp_path], out=tmp_path / "x.npz", engine="ray")
        with pytest.raises(ConfigError, match="`actors` is for `engine`=ray"):
            work(model(), [tmp_path], out=tmp_path / "x.npz", actors=2)
        with pytest.raises(ConfigError, match="`ray_address` is for `engine`=ray"):
            work(model(), [tmp_path], out=tmp_path / "x.npz", ray_address="auto")


def test_the_command_hands_its_options_on(tmp_path, capsys):
    make_clip(tmp_path / "a.mp4", frames=8)
    model().save_pretrained(tmp_path / "saved")
    common = ["--model", str(tmp_path / "saved"), str(tmp_path / "a.mp4"), "--out", str(tmp_path / "x.parquet")]
    for command in (predict, features):
        with pytest.raises(ConfigError, match="--actors counts from 1, got 0" if HAS_RAY else "--engine=ray needs"):
            command.run([*common, "--engine", "ray", "--actors", "0"])
    with pytest.raises(SystemExit):
        predict.run([*common, "--timeline", "--ray-address", "auto"])
    assert "--ray-address has no meaning with --timeline" in capsys.readouterr().err


def test_both_packages_are_needed(monkeypatch):
    for missing in (None, "ray", "pyarrow"):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, missing=missing: None if name == missing else 1)
        if missing is None:
            check_ray()
            continue
        with pytest.raises(ConfigError, match=r"`engine`=ray needs Ray Data: pip install 'vidtok\[ray\]'"):
            check_ray()


def test_a_cluster_that_is_there_is_joined_and_another_is_started_and_ended(monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.setattr(ray_job, "usable_cores", lambda: 5)
    work, said = Wrong(), []
    work.held_bytes = 1000

    def ray(there):
        return SimpleNamespace(
            is_initialized=lambda: there, init=lambda **given: said.append(given), shutdown=lambda: said.append("ended")
        )

    with joined(ray(True), actors=2, cores=1, work=work, address="auto"):
        pass
    assert said == []
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    own = {"address": "local", "include_dashboard": False, "object_store_memory": STORE_BYTES + 2000, **quiet}
    for options, wanted in (
        ({"actors": 2, "cores": 3, "address": None}, {**own, "num_cpus": 6}),
        ({"actors": None, "cores": 3, "address": None}, {**own, "num_cpus": 5}),
        ({"actors": None, "cores": 8, "address": None}, {**own, "num_cpus": 8 * max(1, torch.cuda.device_count())}),
        ({"actors": None, "cores": 3, "address": "ray://head"}, {"address": "ray://head", **quiet}),
    ):
        with joined(ray(False), work=work, **options):
            assert said == [wanted]
        assert said.pop() == "ended"
        assert said.pop() == wanted
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize(
    ("options", "first"), [({}, (16, 3)), ({"block": 5}, (5, 7)), ({"block": 40}, (40, 1)), ({"most": 2}, (20, 2))]
)
def test_what_is_lost_with_its_block_is_tried_alone_and_then_is_a_failure(monkeypatch, tmp_path, options, first):
    """Videos 3 and 4 do not come back: one of them once, the other never; video 0 comes with every job."""
    asked, lost = [], {3: 1, 4: 9}

    def job(held, paths, places, together, *, actors, again, cores, on_gpu):
        asked.append((list(places), together, actors, again, cores, on_gpu))
        for place in (*places, 0):
            if lost.get(place, 0) > 0:
                lost[place] -= 1
            else:
                yield place, {"a": torch.tensor([place])}

    ray = SimpleNamespace(is_initialized=lambda: True, cluster_resources=lambda: {"CPU": 14.0}, put=lambda work: work)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_job, "check_ray", lambda: None)
    monkeypatch.setattr(ray_job, "_job", job)
    options = dict(options)
    if "most" in options:
        monkeypatch.setattr(ray_job, "MOST_BLOCKS", options.pop("most"))
    paths = [tmp_path / str(k) for k in range(40)]
    rows = list(ray_rows(Wrong(), paths, cores=2, **options))
    assert sorted(index for index, _ in rows) == list(range(40))
    failed = {index: each for index, each in rows if isinstance(each, Failure)}
    assert failed.keys() == {4}
    assert failed[4].cause == f"{paths[4]}: the process that read it died, alone too (perhaps for want of memory)"
    assert (failed[4].index, failed[4].path, failed[4].key) == (4, paths[4], str(paths[4]))
    assert [each[1:] for each in asked] == [(*first, 1, 2, False), (1, 2, 1, 2, False), (1, 1, 0, 2, False)]
    assert [each[0] for each in asked[1:]] == [[3, 4], [4]]
    assert list(ray_rows(Wrong(), [])) == []


@pytest.mark.parametrize("on_gpu", [False, True])
def test_a_job_divides_its_videos_among_actors_that_are_begun_again(monkeypatch, tmp_path, on_gpu):
    said = {}

    class Listed:
        context = SimpleNamespace()

        def map_batches(self, actor, **options):
            said.update(options, actor=actor)
            return self

        def iter_batches(self, **options):
            said["read"] = options
            held, _, folder = said["fn_constructor_args"]
            actor = said["actor"](held, False, folder)
            yield from actor(pyarrow.table({key: [item[key] for item in said["items"]] for key in ("index", "path")}))

    def from_items(items, *, override_num_blocks):
        said.update(items=items, blocks=override_num_blocks)
        return Listed()

    class Own(Wrong):
        def __call__(self, paths):
            yield from ({"a": torch.tensor([float(path.name)])} for path in paths)

    data = SimpleNamespace(from_items=from_items, ActorPoolStrategy=lambda *, size: ("pool", size))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda held: held))
    monkeypatch.setitem(sys.modules, "ray.data", data)
    monkeypatch.chdir(tmp_path)
    threads, paths = torch.get_num_threads(), [tmp_path / str(k) for k in range(6)]
    work = Own()
    rows = list(ray_job._job(work, paths, [1, 4, 5], 2, actors=7, again=2, cores=3, on_gpu=on_gpu))
    torch.set_num_threads(threads)
    assert [(index, found["a"].item()) for index, found in rows] == [(1, 1.0), (4, 4.0), (5, 5.0)]
    assert (said["blocks"], said["compute"], said["num_cpus"], said["num_gpus"]) == (
        2,
        ("pool", 7),
        3,
        1 if on_gpu else None,
    )
    assert said["fn_constructor_args"] == (work, on_gpu, str(tmp_path))
    assert (said["max_restarts"], said["max_task_retries"]) == (-1, 2)
    assert said["batch_size"] is None
    assert said["batch_format"] == "pyarrow"
    assert said["read"] == {"batch_size": None, "batch_format": "pyarrow"}
    context = Listed.context
    assert (context.enable_progress_bars, context.print_on_execution_start) == (False, False)
    assert context.max_errored_blocks == -1
