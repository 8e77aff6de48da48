"""Would the tests tell? Changes one token of a module, runs that module's own tests, and names what they let live.

    python tools/check_tests.py --seed 0 --count 100
    python tools/check_tests.py --only vidtok/nn --only vidtok/train/ema.py --count 40

Everything happens in a copy of the checkout; tools/source_changes.py says what is changed and what is let be. The exit
status is 1 where more changes lived than `--may-live` allows, or where a mirror fails as it is.
"""

import argparse
import ast
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType

from source_changes import Change, choose, compiles, find_changes

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache")
WHOLE_LIMIT = 1800.0
"""Seconds for the tests of a module as it is."""


def left_out(root: Path, folder: str, names: list[str]) -> set[str]:
    """What a copy goes without: what was made in the checkout, and runs/ at its top (further down that is a room)."""
    return {*LEFT_OUT(folder, names), *(("runs",) if Path(folder) == root else ())}


def mirror_of(path: Path, root: Path = ROOT) -> tuple[str, ...]:
    """The test files of a module: its mirror, the contract of all mixers for a mixer; () where there is none."""
    inside = path.relative_to("vidtok")
    name = inside.parent.name or "package" if inside.stem == "__init__" else inside.stem
    tests = [Path("tests", inside.parent, f"test_{name}.py")]
    if inside.parent == Path("nn/mixers"):
        tests.append(Path("tests/nn/mixers/test_contract.py"))
    return tuple(str(test) for test in tests if (root / test).exists())


def run_mirror(tree: Path, tests: Sequence[str]) -> None:
    """In a process of its own: run the tests of a copy of the checkout, silently, and exit as pytest does."""
    os.setsid()
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    # A process that a test spawns would begin by running this file, which is not on its path.
    sys.modules["__main__"] = ModuleType("__main__")
    sys.path[:] = [str(tree), *(entry for entry in sys.path if Path(entry or ".").resolve() != ROOT / "tools")]
    with (tree / "output").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    import pytest

    # What is preloaded brings a plugin of pytest's along.
    early = ["-W", "ignore:Module already imported so cannot be rewritten"]
    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *early, "-m", "not slow", *tests]))


def third_parties(sources: Iterable[bytes]) -> list[str]:
    """What the modules import as they are imported themselves, the package's own modules aside."""
    names = set[str]()
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names.add(node.module)
    return sorted(name for name in names if name.split(".")[0] != "vidtok")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of some tests."""

    passed: bool
    seconds: float
    said: str


class Trees:
    """Copies of the checkout, one for each job; tests run in a process that is ended after `limit` seconds.

    What the package needs of others is imported once and not by every process: most of the time of a small mirror.
    """

    def __init__(self, folder: Path, *, jobs: int, root: Path = ROOT):
        self._free = SimpleQueue[Path]()
        self._context = multiprocessing.get_context("forkserver")
        sources = ((root / path).read_bytes() for path in modules([], root))
        self._context.set_forkserver_preload(["pytest", *third_parties(sources)])
        for job in range(jobs):
            shutil.copytree(root, folder / str(job), ignore=partial(left_out, root))
            self._free.put(folder / str(job))

    def run(self, tests: Sequence[str], *, limit: float, change: Change | None = None) -> Run:
        """Run the tests, with a change or without; a run that took too long has not passed."""
        tree = self._free.get()
        try:
            if change is not None:
                before = (tree / change.path).read_bytes()
                (tree / change.path).write_bytes(change.apply(before))
            start = time.perf_counter()
            process = self._context.Process(target=run_mirror, args=(tree, tests))
            process.start()
            process.join(limit)
            if process.is_alive() and process.pid is not None:
                os.killpg(process.pid, signal.SIGKILL)
                process.join()
            said = (tree / "output").read_text(errors="replace")
            return Run(passed=process.exitcode == 0, seconds=time.perf_counter() - start, said=said)
        finally:
            if change is not None:
                (tree / change.path).write_bytes(before)
            self._free.put(tree)


def modules(only: Sequence[str], root: Path = ROOT) -> Iterator[Path]:
    for path in sorted((root / "vidtok").rglob("*.py")):
        inside = path.relative_to(root)
        if not only or any(inside.is_relative_to(part) for part in only):
            yield inside


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--count", type=int, default=100, help="changes to try (default 100)")
    cli.add_argument("--seed", type=int, default=0, help="which ones (default 0)")
    cli.add_argument("--only", action="append", default=[], metavar="PATH", help="a module or a folder of the package")
    cli.add_argument("--may-live", type=int, default=0, help="so many may live (default 0)")
    cli.add_argument(
        "--limit",
        type=float,
        default=60,
        help="seconds for the tests of one change, or five times what they take as they are (default 60)",
    )
    cli.add_argument("--jobs", type=int, default=1, help="changes that are tried at the same time (default 1)")
    args = cli.parse_args(arguments)

    changes, without = list[Change](), list[Path]()
    for path in modules(args.only, root):
        found = find_changes(path, (root / path).read_bytes())
        if mirror_of(path, root):
            changes += found
        elif found:
            without.append(path)
    chosen = [
        change
        for change in choose(changes, count=args.count, seed=args.seed)
        if compiles(change.apply((root / change.path).read_bytes()))
    ]
    mirrors = {change.path: mirror_of(change.path, root) for change in chosen}
    print(f"{len(chosen)} of {len(changes)} changes, in {len(mirrors)} modules", flush=True)
    for path in without:
        print(f"no tests of its own: {path}", flush=True)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.jobs) as pool:
        trees, whole = Trees(Path(folder), jobs=args.jobs, root=root), dict.fromkeys(mirrors.values())
        runs = dict(zip(whole, pool.map(lambda tests: trees.run(tests, limit=WHOLE_LIMIT), whole), strict=True))
        for tests, run in runs.items():
            if not run.passed:
                print(f"fails as it is, nothing is tried with it: {' '.join(tests)}\n{run.said[-2000:]}", flush=True)
        tried = [change for change in chosen if runs[mirrors[change.path]].passed]

        def lives(change: Change) -> bool:
            tests = mirrors[change.path]
            limit = max(args.limit, 5 * runs[tests].seconds)
            lived = trees.run(tests, limit=limit, change=change).passed
            print(f"{'lived' if lived else 'caught'}: {change}", flush=True)
            return lived

        lived = sum(pool.map(lives, tried))
    print(f"{len(tried)} tried, {lived} lived, {len(tried) - lived} caught")
    return 1 if lived > args.may_live or len(tried) < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
