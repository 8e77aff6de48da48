"""One-token changes of Python source, for tools/check_tests.py.

A comparison, `and`, an operator, a number, True, `not`, a condition, a string or one of a pair like `min` and `max`.

Messages, docstrings, annotations, decorators, `assert`s and `strict=` are let be: they say something to a reader. So is
what makes no difference that a test could see: when printed text leaves the buffer (`flush=`), whether a copy is waited
for (`non_blocking=`), and the names of codecs, of which Python takes `utf-8_` for `utf-8`.
"""

import ast
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

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
LET_BE = ("strict", "flush", "non_blocking")
"""Keywords; the first one, zip's, is an assertion."""
CODECS = ("ascii", "latin-1", "unicode_escape", "utf-8", "utf-8-sig")


def is_one_word(text: str) -> bool:
    """Whether a string is a name for a program, and no codec's."""
    return text != "" and " " not in text and text not in CODECS


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
        elif isinstance(node.value, str) and is_one_word(node.value) and not self._said:
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
        if node.arg not in LET_BE:
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
