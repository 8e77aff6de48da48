"""The README says what is there."""

import re

from tests.file_tree import HEADING, PAGE, ROOT, tree

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tree_is_the_tree():
    assert PAGE.read_text(encoding="utf-8") == f"{HEADING}\n\n{tree()}\n", "run `python -m tests.file_tree`"


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("vidtok", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if path.stat().st_size and not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert not silent


def test_named_files_are_there():
    named = set(re.findall(r"\b(?:tools|configs|docs|vidtok)/[\w/]+\.(?:py|yaml|png|md)\b", README))
    assert len(named) > 8
    missing = sorted(name for name in named if not (ROOT / name).exists() and "mine" not in name)
    assert not missing
