"""A file of Python outside of any package, opened as what it is when it is run."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def opened(file: Path) -> Iterator[ModuleType]:
    """The file as a module, with its neighbours in reach; afterwards none of them is known any more."""
    name, folder = file.stem, str(file.parent)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(folder)
        for other in [
            other for other, each in sys.modules.items() if str(getattr(each, "__file__", "")).startswith(f"{folder}/")
        ]:
            del sys.modules[other]
