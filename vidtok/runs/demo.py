"""Everything once: make the embedded data set, train, test with its controls, and write the attention video."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.data.motion import MOTION_FILES
from vidtok.errors import TrainingError
from vidtok.runs.motion import run_motion
from vidtok.runs.test import run_test
from vidtok.runs.train import run_train
from vidtok.runs.visualize import run_visualize

REPEATED = ("repeat_first", "repeat_middle", "repeat_last")


def run_demo(
    out: str | Path = "runs/demo", *, cfg: str | Path = "motion_vivit_tl8", overrides: Sequence[str] = ()
) -> int:
    """Make `motion`, train on it, test with 4x3 views and controls, write the attention video; the exit status.

    Raises TrainingError where a figure misses its mark.
    """
    began, out = time.monotonic(), Path(out)

    # The lists are written last: where they are, the data set is whole.
    if not all((out / "motion" / name).is_file() for name in MOTION_FILES.values()):
        run_motion(out / "motion")
    lists = {name: str(out / "motion" / file) for name, file in MOTION_FILES.items()}
    lists_here = [f"data.{name}={json.dumps(path)}" for name, path in lists.items()]
    trained = run_train(cfg, [f"run.dir={json.dumps(str(out))}", *lists_here, *overrides])
    if not trained.finished:
        return 130
    plain = read_figures(out / "test")

    def control(name: str) -> dict[str, float]:
        folder = out / f"test_{name}"
        run_test(out, [f"eval.control={name}"], out=folder)
        return read_figures(folder)

    repeated = max(control(name)["top1"] for name in REPEATED)
    shuffled = control("shuffle")["top1"]
    reverse = control("reverse")
    video = (out / "motion" / "val.csv").read_text(encoding="utf-8").splitlines()[0].rsplit(maxsplit=1)[0]
    maps = out / "maps.mp4"
    run_visualize(out, out / "motion" / video, out=maps)

    figures = DemoFigures(
        top1=plain["top1"],
        repeated=repeated,
        shuffled=shuffled,
        reversed=reverse["top1"],
        opposite=reverse["opposite"],
    )
    line = f"{figures.line()} | {time.monotonic() - began:.0f} s | {maps}"
    if missed := figures.missed():
        raise TrainingError(f"demo missed its marks ({', '.join(missed)}): {line}")
    print(f"demo ok: {line}")
    return 0


@dataclass(frozen=True, kw_only=True)
class DemoFigures:
    """What the demo has to show: shares of the clips of `motion`, whose classes can be told by their movement alone."""

    top1: float
    repeated: float
    """With one frame in the place of all; the highest of first, middle and last."""
    shuffled: float
    reversed: float
    opposite: float
    """Reversed clips that are taken for the movement back."""

    def line(self) -> str:
        return (
            f"top1 {self.top1:.2f} | repeated {self.repeated:.2f} | shuffled {self.shuffled:.2f} | "
            f"reversed {self.reversed:.2f} opposite {self.opposite:.2f}"
        )

    def missed(self) -> list[str]:
        """The marks that are missed, as what should have been."""
        marks = [
            (self.top1 >= 0.95, "top1 >= 0.95"),
            (self.repeated <= 0.20, "repeated <= 0.20"),
            (self.shuffled <= 0.55, "shuffled <= 0.55"),
            (self.reversed <= 0.10, "reversed <= 0.10"),
            (self.opposite >= 0.90, "opposite >= 0.90"),
        ]
        return [words for met, words in marks if not met]


def read_figures(folder: Path) -> dict[str, float]:
    """The figures of a test's results.json."""
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {"top1": content["figures"]["top1"], "opposite": content["opposite"] or 0.0}
