"""Types and shapes that signatures name, checked at each call while the tests run.

`jaxtyping` can do so for a whole package, and then follows the axes through every call, those without an array as well:
a file of training tests takes 100 s so, and 57 s without any check. Here axes are followed where an array is named, and
beartype alone checks elsewhere: 67 s.
"""

import ast
import inspect
import sys
from dataclasses import is_dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

NAME = "__checked__"


def names_arrays(annotation: Any) -> bool:
    """Whether a shape stands in the annotation, at any depth."""
    if isinstance(annotation, list | tuple):  # the arguments of a Callable
        return any(map(names_arrays, annotation))
    if inspect.isclass(annotation) and issubclass(annotation, AbstractArray):
        return True
    return any(map(names_arrays, get_args(annotation)))


def checked(target: Any) -> Any:
    """The function or data class, with its arguments and its answer checked; other classes as they are.

    A function inside another is made anew at every call of that one, and each time the check with it: left out.
    """
    if inspect.isclass(target) and not is_dataclass(target):
        return target
    if any(map(names_arrays, inspect.get_annotations(target).values())):
        return jaxtyped(target, typechecker=beartype)
    if inspect.isclass(target):
        if "__init__" in vars(target):
            target.__init__ = beartype(target.__init__)
        return target
    return target if "<locals>" in target.__qualname__ else beartype(target)


class Checking(ast.NodeTransformer):
    """Puts `checked` nearest to each function, and outermost on each class: data classes have an `__init__` there."""

    def _decorated(self, node: ast.AST, place: int | None) -> ast.AST:
        self.generic_visit(node)
        name = ast.Name(NAME, ast.Load())
        decorators = node.decorator_list  # pyright: ignore[reportAttributeAccessIssue]
        decorators.insert(len(decorators) if place is None else place, ast.copy_location(name, node))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._decorated(node, None)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._decorated(node, 0)


class CheckedLoader(SourceFileLoader):
    def source_to_code(self, data, path, *, _optimization=-1):  # pyright: ignore[reportIncompatibleMethodOverride]
        tree = ast.fix_missing_locations(Checking().visit(ast.parse(data)))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimization)

    def path_stats(self, path):
        """No time, no compiled file: what is compiled here must not be taken for what users run."""
        raise OSError

    def exec_module(self, module):
        vars(module)[NAME] = checked
        super().exec_module(module)


class CheckedFinder(MetaPathFinder):
    def __init__(self, package: str):
        self.package = package

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] != self.package:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = CheckedLoader(fullname, spec.origin)
        return spec


def check_shapes(package: str) -> None:
    """What is imported of the package from here on is checked.

    Nothing where some of it is there already: in processes that tests start, which come by here as they look for a
    test's function. That the tests' own process is checked, tests/test_shapes.py says.
    """
    if package not in sys.modules:
        sys.meta_path.insert(0, CheckedFinder(package))
