"""Everything once: make the embedded data set, train, test with its controls, and write the attention video."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from vidtok.errors import TrainingError
from vidtok.runs.motion import run_motion
from vidtok.runs.test import run_test
from vidtok.runs.train import run_train
from vidtok.runs.visualize import run_visualize

FILES = {"train": "train.csv", "val": "val.csv", "classes": "classes.txt"}
REPEATED = ("repeat_first", "repeat_middle", "repeat_last")


def run_demo(
    out: str | Path = "runs/demo", *, cfg: str | Path = "motion_vivit_tl8", overrides: Sequence[str] = ()
) -> int:
    """Make `motion`, train on it, test with 4x3 views and controls, write the attention video; the exit status.

    Raises TrainingError where a figure misses its mark.
    """
    began, out = time.monotonic(), Path(out)

    # The lists are written last: where they are, the data set is whole.
    if not all((out / "motion" / name).is_file() for name in FILES.values()):
        run_motion(out / "motion")
    lists = {name: str(out / "motion" / file) for name, file in FILES.items()}
    lists_here = [f"data.{name}={json.dumps(path)}" for name, path in lists.items()]
    trained = run_train(cfg, [f"run.dir={json.dumps(str(out))}", *lists_here, *overrides])
    if not trained.finished:
        return 130
    plain = results(out / "test")

    def control(name: str) -> dict[str, float]:
        folder = out / f"test_{name}"
        run_test(out, [f"eval.control={name}"], out=folder)
        return results(folder)

    repeated = max(control(name)["top1"] for name in REPEATED)
    shuffled = control("shuffle")["top1"]
    reverse = control("reverse")
    video = (out / "motion" / "val.csv").read_text(encoding="utf-8").splitlines()[0].rsplit(maxsplit=1)[0]
    maps = out / "maps.mp4"
    run_visualize(out, out / "motion" / video, out=maps)

    line = (
        f"top1 {plain['top1']:.2f} | repeated {repeated:.2f} | shuffled {shuffled:.2f} | "
        f"reversed {reverse['top1']:.2f} opposite {reverse['opposite']:.2f} | {time.monotonic() - began:.0f} s | {maps}"
    )
    good = plain["top1"] >= 0.95 and repeated <= 0.20 and shuffled <= 0.55
    good = good and reverse["top1"] <= 0.10 and reverse["opposite"] >= 0.90
    if not good:
        raise TrainingError(
            f"demo missed its marks (top1 >= 0.95, repeated <= 0.20, shuffled <= 0.55, reversed <= 0.10, "
            f"opposite >= 0.90): {line}"
        )
    print(f"demo ok: {line}")
    return 0


def results(folder: Path) -> dict[str, float]:
    """The figures of a test's results.json."""
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {"top1": content["figures"]["top1"], "opposite": content["opposite"] or 0.0}
