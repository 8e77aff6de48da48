"""The check of the tests names what a mirror lets live, and only that."""

import codecs
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.opened import opened

TOOL = ROOT / "tools" / "check_tests.py"
MODULE = "def fits(count, most):\n    return count < most\n"
GOOD = "from vidtok.fits import fits\n\ndef test_fits():\n    assert not fits(4, 4)\n"
BLIND = "from vidtok.fits import fits\n\ndef test_fits():\n    assert fits(1, 4)\n"
ENDLESS = GOOD.replace("assert not fits(4, 4)", "while fits(4, 4):\n        pass")
SPAWNING = (
    GOOD
    + """

def test_another_process():
    import multiprocessing
    import os

    process = multiprocessing.get_context("spawn").Process(target=os.getpid)
    process.start()
    process.join()
    assert process.exitcode == 0
"""
)


@pytest.fixture(scope="module")
def checks():
    with opened(TOOL) as module:
        yield module


def changes_of(checks, source: str) -> set[str]:
    found = checks.find_changes(Path("vidtok/a.py"), source.encode())
    for change in found:
        assert change.apply(source.encode()) != source.encode()
        compile(change.apply(source.encode()), "changed", "exec")
    return {change.apply(source.encode()).decode().strip() for change in found}


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", {"a <= b"}),
        ("(a) >= (b)  # > c", {"(a) > (b)  # > c"}),
        ("a is not b", {"a is b"}),
        ("a not in b", {"a in b"}),
        ("0 == a < b", {"1 == a < b", "(-1) == a < b", "0 != a < b", "0 == a <= b"}),
        ("a and (b or c)", {"a or (b or c)", "a and (b and c)"}),
        ("é + a // b", {"é - a // b", "é + a * b"}),
        ("a *= 0.5", {"a /= 0.5", "a *= 2.0"}),
        ("not a", {"a"}),
        ("-a", {"a"}),
        ("a = True", {"a = False"}),
        ("a = 'b'", {"a = 'b_'"}),
        ("min(a)", {"max(a)"}),
        ("a.any()", {"a.all()"}),
        ("b if a else c", {"b if (not (a)) else c"}),
        ("[a for a in b if c < a]", {"[a for a in b if c <= a]", "[a for a in b if (not (c < a))]"}),
        ("if not a:\n    b()", {"if a:\n    b()"}),
        ("def a(b: Literal['c'], *, d=2): b", {f"def a(b: Literal['c'], *, d={n}): b" for n in ("3", "(1)")}),
        ("@a(b=1)\nclass A:\n    '''1'''\n    c: Annotated[int, 1] = d", set()),
        ("assert a > 1, 'b'", set()),
        ("zip(a, b, strict=True)", set()),
        ("print(a, flush=True)", set()),
        ("a.to(b, non_blocking=True)", set()),
        ("a.encode('utf-8', errors='replace')", {"a.encode('utf-8', errors='replace_')"}),
        ("a = f'{b + 1}'", set()),
        ("a = 'two words'", set()),
        ("raise A('b', c + d)", {"raise A('b', c - d)"}),
    ],
)  # fmt: skip
def test_one_token_at_a_time(checks, source, changed):
    assert changes_of(checks, source) == changed


def test_the_choice_is_the_seeds_and_takes_every_kind(checks):
    source = "a = not b and c < -1\nd = 'e'\nf = [" + "1, " * 500 + "]\n"
    found = checks.find_changes(Path("vidtok/a.py"), source.encode())
    first, again, other = (checks.choose(found, count=12, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(set(first)) == 12
    assert {change.kind for change in first} == {change.kind for change in found}
    assert len(checks.choose(found, count=10**6, seed=0)) == len(found)


def test_where_the_tests_of_a_module_are(checks):
    def mirror(path):
        return checks.mirror_of(Path(path))

    assert mirror("vidtok/metrics.py") == ("tests/test_metrics.py",)
    assert mirror("vidtok/__init__.py") == ("tests/test_package.py",)
    assert mirror("vidtok/data/formats/__init__.py") == ("tests/data/formats/test_formats.py",)
    assert mirror("vidtok/nn/mixers/mhsa.py") == ("tests/nn/mixers/test_contract.py",)
    assert mirror("vidtok/nn/mixers/registry.py") == tuple(
        f"tests/nn/mixers/test_{name}.py" for name in ("registry", "contract")
    )
    assert mirror("vidtok/nothing.py") == ()


def run(tmp_path: Path, *arguments: str, tests: str) -> subprocess.CompletedProcess[str]:
    """The tool in a checkout of one tested and one untested module."""
    files = {"fits.py": MODULE, "alone.py": "a = 1 < 2\n", "__init__.py": ""}
    for name, text in {**{f"vidtok/{name}": text for name, text in files.items()}, "tests/test_fits.py": tests}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "tools").mkdir()
    for file in (TOOL, TOOL.with_name("source_changes.py")):
        shutil.copy(file, tmp_path / "tools")
    command = [sys.executable, "tools/check_tests.py", *arguments]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # those of the environment take seconds
    return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_tests_that_see_the_change(tmp_path):
    done = run(tmp_path, "--jobs", "2", tests=GOOD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 changes, in 1 modules\nno tests of its own: vidtok/alone.py" in done.stdout
    assert "1 tried, 0 lived, 1 caught" in done.stdout
    assert (tmp_path / "vidtok/fits.py").read_text(encoding="utf-8") == MODULE


@pytest.mark.parametrize(("may_live", "status"), [("0", 1), ("1", 0)])
def test_tests_that_do_not_see_it(tmp_path, may_live, status):
    done = run(tmp_path, "--only", "vidtok/fits.py", "--may-live", may_live, tests=BLIND)
    assert done.returncode == status, done.stdout + done.stderr
    assert "lived: vidtok/fits.py:2  <  ->  <=\n" in done.stdout
    assert "alone" not in done.stdout


def test_a_test_may_spawn_processes(tmp_path):
    done = run(tmp_path, "--only", "vidtok/fits.py", tests=SPAWNING)
    assert "1 tried, 0 lived, 1 caught" in done.stdout, done.stdout + done.stderr


def test_tests_that_fail_as_they_are(tmp_path):
    done = run(tmp_path, "--may-live", "1", tests="def test_a():\n    assert 0, 'the word'\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "fails as it is, nothing is tried with it: tests/test_fits.py" in done.stdout
    assert "the word" in done.stdout
    assert "0 tried, 0 lived, 0 caught" in done.stdout


@pytest.mark.slow
def test_a_change_without_an_end_is_caught(tmp_path):
    done = run(tmp_path, "--limit", "10", tests=ENDLESS)
    assert "1 tried, 0 lived, 1 caught" in done.stdout, done.stdout + done.stderr


def test_a_copy_holds_the_room_that_is_called_as_the_folder_of_runs_is(checks, tmp_path):
    names = ["runs", "vidtok", "build", ".git", "a.egg-info"]
    assert checks.left_out(tmp_path, str(tmp_path), names) == {"runs", "build", ".git", "a.egg-info"}
    assert checks.left_out(tmp_path, str(tmp_path / "vidtok"), ["runs", "nn", "__pycache__"]) == {"__pycache__"}


def test_names_of_codecs_that_are_let_be_mean_the_same_with_a_stroke_behind_them(checks):
    for name in sys.modules[checks.find_changes.__module__].CODECS:
        assert codecs.lookup(f"{name}_").name == codecs.lookup(name).name
