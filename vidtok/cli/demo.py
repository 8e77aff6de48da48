"""Everything once: make the embedded data set, train, test with its controls, and write the attention video."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from vidtok.cli import add_overrides, make_motion, parser, test, train, visualize
from vidtok.errors import TrainingError

FILES = {"train": "train.csv", "val": "val.csv", "classes": "classes.txt"}
REPEATED = ("repeat_first", "repeat_middle", "repeat_last")


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Make the embedded data set, train on it, test with 4x3 views and controls, write the attention video."
    )
    cli.add_argument("--out", default="runs/demo", help="folder for everything (default: %(default)s)")
    cli.add_argument("--cfg", default="configs/motion_vivit_tl8.yaml", help="config (default: %(default)s)")
    add_overrides(cli)
    args = cli.parse_args(arguments)
    began, out = time.monotonic(), Path(args.out)

    # The lists are written last: where they are, the data set is whole.
    if not all((out / "motion" / name).is_file() for name in FILES.values()):
        make_motion.run([str(out / "motion")])
    lists = {name: str(out / "motion" / file) for name, file in FILES.items()}
    overrides = [f"data.{name}={json.dumps(path)}" for name, path in lists.items()]
    status = train.run(["--cfg", args.cfg, f"run.dir={json.dumps(str(out))}", *overrides, *args.overrides])
    if status:
        return status
    plain = results(out / "test")

    def control(name: str) -> dict[str, float]:
        folder = out / f"test_{name}"
        test.run(["--checkpoint", str(out), "--out", str(folder), f"eval.control={name}"])
        return results(folder)

    repeated = max(control(name)["top1"] for name in REPEATED)
    shuffled = control("shuffle")["top1"]
    reverse = control("reverse")
    video = (out / "motion" / "val.csv").read_text(encoding="utf-8").splitlines()[0].rsplit(maxsplit=1)[0]
    maps = out / "maps.mp4"
    visualize.run(["--checkpoint", str(out), str(out / "motion" / video), "--out", str(maps)])

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
