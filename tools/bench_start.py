"""How long it takes until something happens: imports and --help, against `import torch`.

    python tools/bench_start.py
    python tools/bench_start.py --repeats 9 --json start.json

Each row is a new process; the rows take turns, and the best of --repeats stands in the table. Processor seconds are
those of the process and all its threads (user and system), and do not depend on what else the machine does as much as
the seconds of the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL = "vidtok.create_model('vivit', classes=2, frames=4, size=32, width=24, depth=2, heads=2)"
LOADER = "import vidtok.data.dataset, vidtok.data.loader, vidtok.data.augment"
ROWS = {
    "import torch": ["-c", "import torch"],
    "import vidtok; vidtok.create_model": ["-c", "import vidtok; vidtok.create_model"],
    "the same, and a small ViViT": ["-c", f"import vidtok; {SMALL}"],
    "import vidtok.runs.train": ["-c", "import vidtok.runs.train"],
    "import vidtok.runs.predict": ["-c", "import vidtok.runs.predict"],
    "import vidtok.runs.fit": ["-c", "import vidtok.runs.fit"],
    "what a loader's worker imports": ["-c", LOADER],
    "vidtok train --help": ["-m", "vidtok", "train", "--help"],
}
BARS = {
    "import vidtok; vidtok.create_model": "1.3 times",
    "vidtok train --help": "0.5 s",
}


def once(arguments: list[str]) -> tuple[float, float]:
    """Processor seconds and seconds of one process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    before, began = os.times(), time.monotonic()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
    seconds, after = time.monotonic() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, seconds


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--repeats", type=int, default=5, help="processes of each row (default: %(default)s)")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    args = cli.parse_args()
    once(["-c", "import torch"])  # files into the system's cache
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ROWS}
    for _ in range(args.repeats):
        for name, arguments in ROWS.items():
            taken[name].append(once(arguments))
    best = {name: (min(cpu for cpu, _ in each), min(s for _, s in each)) for name, each in taken.items()}
    unit = best["import torch"]
    print("| what | processor seconds | times `import torch` | seconds | times | bar |\n|---|---|---|---|---|---|")
    for name, (cpu, seconds) in best.items():
        ratios = f"{cpu:.2f} | {cpu / unit[0]:.2f} | {seconds:.2f} | {seconds / unit[1]:.2f}"
        print(f"| {name} | {ratios} | {BARS.get(name, '')} |")
    if args.json:
        rows = {
            name: {"cpu_seconds": cpu, "cpu_ratio": cpu / unit[0], "seconds": seconds, "ratio": seconds / unit[1]}
            for name, (cpu, seconds) in best.items()
        }
        Path(args.json).write_text(json.dumps({"repeats": args.repeats, "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
