"""Would the tests tell? Changes one token of a module, runs that module's own tests, and names what they let live.

    python tools/check_tests.py --seed 0 --count 100
    python tools/check_tests.py --only vidtok/nn --only vidtok/train/ema.py --count 40

Everything happens in a copy of the checkout. A comparison, `and`, an operator, a number, True, `not`, a condition, a
string or one of a pair like `min` and `max` is changed; messages, docstrings, annotations, decorators, `assert`s and
`strict=` are let be: they say something to a reader. The exit status is 1 where more changes lived than `--may-live`
allows, or where a mirror fails as it is.
"""

import argparse
import ast
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "runs", "build", "*.egg-info", "__pycache__", ".*_cache")
WHOLE_LIMIT = 1800.0
"""Seconds for the tests of a module as it is."""

COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
OPERATORS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
PAIRS = {"min": "max", "any": "all", "floor": "ceil", "amin": "amax"}
PAIRS |= {second: first for first, second in PAIRS.items()}


@dataclass(frozen=True, kw_only=True)
class Change:
    """The bytes from `start` to `stop` of a file become `after`."""

    path: Path
    kind: str
    line: int
    start: int
    stop: int
    before: str
    after: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.stop :]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {self.before}  ->  {self.after}"


class Finder(ast.NodeVisitor):
    """Collects the changes of one file."""

    def __init__(self, path: Path, source: bytes):
        self.path, self.source, self.found = path, source, list[Change]()
        self._lines = [0, *(found.end() for found in re.finditer(rb"\n", source))]
        self._said = False
        """Inside of what is said to a reader: strings there are messages."""
        self.visit(ast.parse(source))
        self.found.sort(key=lambda change: (change.start, change.stop))

    def _at(self, line: int | None, column: int | None) -> int:
        assert line is not None
        assert column is not None
        return self._lines[line - 1] + column

    def _range(self, node: ast.expr) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _change(self, kind: str, start: int, stop: int, after: str) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        before = self.source[start:stop].decode()
        self.found.append(
            Change(path=self.path, kind=kind, line=line, start=start, stop=stop, before=before, after=after)
        )

    def _between(self, kind: str, left: int, right: int, word: str, after: str) -> None:
        """Change the operator that stands between two operands, beside brackets and comments."""
        gap = re.sub(rb"#[^\n]*", lambda comment: b" " * len(comment[0]), self.source[left:right])
        found = re.search(word.encode(), gap)
        assert found, (self.path, gap)
        self._change(kind, left + found.start(), left + found.end(), after)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for (left, right), operator in zip(pairwise(operands), node.ops, strict=True):
            word, after = COMPARISONS[type(operator)]
            self._between("comparison", self._range(left)[1], self._range(right)[0], word, after)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            self._between("and/or", self._range(left)[1], self._range(right)[0], rf"\b{word}\b", after)
        self.generic_visit(node)

    def _operator(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> None:
        if type(operator) in OPERATORS:
            word, after = OPERATORS[type(operator)]
            self._between("operator", self._range(left)[1], self._range(right)[0], re.escape(word), after)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._operator(node.left, node.op, node.right)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._operator(node.target, node.op, node.value)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        kind = "not" if isinstance(node.op, ast.Not) else "operator"
        self._change(kind, self._range(node)[0], self._range(node.operand)[0], "")
        self.generic_visit(node)

    def _condition(self, test: ast.expr) -> None:
        """Turn it round, where no other change of it does the same."""
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        equality = isinstance(test, ast.Compare) and not isinstance(test.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
        if not negated and not equality:
            start, stop = self._range(test)
            self._change("condition", start, stop, f"(not ({self.source[start:stop].decode()}))")

    def visit_If(self, node: ast.If) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._condition(test)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        start, stop = self._range(node)
        if isinstance(node.value, bool):
            self._change("truth", start, stop, str(not node.value))
        elif isinstance(node.value, int):
            self._change("number", start, stop, str(node.value + 1))
            self._change("number", start, stop, f"({node.value - 1})")
        elif isinstance(node.value, float):
            self._change("number", start, stop, repr(2 * node.value + 1))
        elif isinstance(node.value, str) and node.value and " " not in node.value and not self._said:
            self._change("string", start, stop, repr(node.value + "_"))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in PAIRS and isinstance(node.ctx, ast.Load):
            self._change("pair", *self._range(node), PAIRS[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in PAIRS and isinstance(node.ctx, ast.Load):
            stop = self._range(node)[1]
            self._change("pair", stop - len(node.attr), stop, PAIRS[node.attr])
        self.generic_visit(node)

    # ---- what is let be ---------------------------------------------------------------------------------------------
    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "strict":  # zip's is an assertion
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        before, self._said = self._said, True
        self.generic_visit(node)
        self._said = before

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)


def find_changes(path: Path, source: bytes) -> list[Change]:
    """Every change of the file, in the order of its lines."""
    return Finder(path, source).found


def compiles(source: bytes) -> bool:
    try:
        compile(source, "changed", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def mirror_of(path: Path, root: Path = ROOT) -> tuple[str, ...]:
    """The test files of a module: its mirror, the contract of all mixers for a mixer; () where there is none."""
    inside = path.relative_to("vidtok")
    name = inside.parent.name or "package" if inside.stem == "__init__" else inside.stem
    tests = [Path("tests", inside.parent, f"test_{name}.py")]
    if inside.parent == Path("nn/mixers"):
        tests.append(Path("tests/nn/mixers/test_contract.py"))
    return tuple(str(test) for test in tests if (root / test).exists())


def choose(changes: Sequence[Change], *, count: int, seed: int) -> list[Change]:
    """`count` of them, each kind as often as the others as long as it has some left."""
    rng = random.Random(seed)
    kinds: dict[str, list[Change]] = {}
    for change in changes:
        kinds.setdefault(change.kind, []).append(change)
    for kind in kinds.values():
        rng.shuffle(kind)
    chosen: list[Change] = []
    while len(chosen) < min(count, len(changes)):
        chosen += [kind.pop() for kind in kinds.values() if kind]
    return chosen[:count]


def run_mirror(tree: Path, tests: Sequence[str]) -> None:
    """In a process of its own: run the tests of a copy of the checkout, silently, and exit as pytest does."""
    os.setsid()
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
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
            shutil.copytree(root, folder / str(job), ignore=LEFT_OUT)
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
            if lived := trees.run(tests, limit=limit, change=change).passed:
                print(f"lived: {change}", flush=True)
            return lived

        lived = sum(pool.map(lives, tried))
    print(f"{len(tried)} tried, {lived} lived, {len(tried) - lived} caught")
    return 1 if lived > args.may_live or len(tried) < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
