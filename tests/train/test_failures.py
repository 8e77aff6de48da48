"""Videos that cannot be decoded in training, or only in part."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.train.looping import batch, events, run
from vidtok.errors import TrainingError
from vidtok.train.failures import check_failures
from vidtok.types import Damaged, Failure


def failures(*indices):
    return tuple(
        Failure(index=i, path=Path(f"v{i}.mp4"), cause=f"v{i}.mp4: cut off", key=f"video {i}") for i in indices
    )


def test_failed_videos_are_skipped_counted_once_and_named(tmp_path, capsys):
    batches = [batch(0, size=3, failures=failures(7)), batch(1, size=0, failures=failures(7, 2)), batch(2)]
    model, progress, ended = run(tmp_path, batches, max_bad_fraction=0.2)
    assert ended
    assert progress.bad == {"video 7": "v7.mp4: cut off", "video 2": "v2.mp4: cut off"}
    assert len(events(tmp_path, "bad_video")) == 2
    assert "v2.mp4: cut off" in capsys.readouterr().out
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())


def test_damaged_videos_are_used_and_named_once(tmp_path, capsys):
    def spoiled(*indices):
        return tuple(Damaged(index=i, path=Path(f"v{i}.mp4"), frames=9 * i) for i in indices)

    batches = [replace(batch(0), damaged=spoiled(2, 1)), batch(1), replace(batch(2), damaged=spoiled(1, 3))]
    _, progress, ended = run(tmp_path, batches, max_bad_fraction=0.0)
    assert ended
    assert not progress.bad
    named = [(event["step"], event["path"], event["frames"]) for event in events(tmp_path, "damaged_video")]
    assert named == [(0, "v1.mp4", 9), (0, "v2.mp4", 18), (2, "v3.mp4", 27)]
    assert "damaged, used as it is (3 so far): v3.mp4: 27 frames of a sample" in capsys.readouterr().out


def test_too_many_failed_videos_stop_the_run(tmp_path):
    batches = [batch(0, size=3, failures=failures(7)), batch(1, size=2, failures=failures(1, 2))]
    with pytest.raises(
        TrainingError, match=r"3 of 10 videos cannot be decoded, and 2 may fail \(`max_bad_fraction`=0.2"
    ):
        run(tmp_path, batches, max_bad_fraction=0.2)


@pytest.mark.parametrize("first_pass", [4, 100])
def test_all_that_fail_in_the_first_pass_are_named(tmp_path, first_pass):
    # Too many from step 1 on; the pass over the list, or the run, ends with step 3.
    bad = {1: (7, 4), 3: (2,), 4: (9,)}
    batches = [batch(step, failures=failures(*bad.get(step, ()))) for step in range(4 if first_pass > 4 else 8)]
    with pytest.raises(TrainingError, match="3 of 10 videos cannot be decoded, and 1 may fail") as error:
        run(tmp_path, batches, first_pass=first_pass)
    assert [line.strip() for line in str(error.value).splitlines()[1:]] == [f"v{i}.mp4: cut off" for i in (4, 7, 2)]


def test_a_list_with_nothing_but_broken_videos_is_not_read_to_its_end():
    bad = {f"v{i}": f"v{i}: cut off" for i in range(101)}
    with pytest.raises(TrainingError, match=r"101 of 900 .*\n(  v\d+: cut off\n){100}  … and 1 more, which the log"):
        check_failures(bad, 900, max_bad_fraction=0.01, may_wait=True)
    bad.popitem()
    check_failures(bad, 900, max_bad_fraction=0.01, may_wait=True)


@pytest.mark.parametrize(
    ("records", "fraction", "allowed"),
    [
        (20, 0.01, 1),
        (20, 0.1, 2),
        (100, 0.07, 7),
        (100, 0.29, 29),
        (10, 0.0, 0),
        (1, 0.5, 0),
        (3, 1.0, 2),
        (199, 0.01, 1),
    ],
)
def test_one_video_at_least_may_fail_and_never_all(records, fraction, allowed):
    bad = {str(i): "cut off" for i in range(allowed)}
    check_failures(bad, records, max_bad_fraction=fraction)
    with pytest.raises(TrainingError, match=f"{allowed + 1} of {records} videos cannot be decoded, and {allowed} may"):
        check_failures({**bad, "one more": "cut off"}, records, max_bad_fraction=fraction)
