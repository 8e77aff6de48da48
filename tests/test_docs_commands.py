"""What the pages show is understood: commands by their own parsers, keys by the config's own check. Nothing runs.

Code is what stands in blocks marked `sh`, in indented blocks and in backticks. In a block a command stands whole, in
backticks a part of one is enough. Not all is said in either: `…` stands for any words, capitals (RUN, N, NAME=FILE)
for a value of any kind, and brackets around an option say that it may be left out.
"""

import argparse
import contextlib
import copy
import functools
import importlib
import itertools
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from unittest.mock import patch

import pytest

from tests.file_tree import ROOT
from vidtok.cli.console import COMMANDS
from vidtok.config_io import load_config
from vidtok.errors import ConfigError
from vidtok.models.presets import list_models

PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if page.name != "tree.md"  # the first lines of the modules, made by tests/file_tree.py
}
CONFIGS = sorted((path.stem for path in (ROOT / "configs").glob("*.yaml")), key=lambda name: "motion" not in name)
TOOLS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tools").glob("*.py")}
COMMAND_OF = {module: command for command, (module, _) in COMMANDS.items()}
WRAPPERS = {
    name: COMMAND_OF[own[1]] for name, text in TOOLS.items() if (own := re.search(r'^    main\("(\w+)"\)', text, re.M))
}
"""Scripts of tools/ that are commands: of the others, the parser is their own."""
FENCE = re.compile(r"^```(\S*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}.+\n)+")
VARIANTS = re.compile("<!-- overrides:start -->.*<!-- overrides:end -->", re.DOTALL)
"""A table whose rows tests/test_configs.py builds."""
PLACEHOLDER = re.compile(r"…|[A-Z][A-Z_/|=@.]*")
OPEN = re.compile(r"\b[A-Z]+\b")
"""In the value of a key: it stands for another one."""
KEY = re.compile(r"(?:data|train|eval|run)(?:\.[a-z_]+)+|(?:(?:data|train|eval|run)\.[a-z_.]+|model[a-z_.]*)=.*")
OF_DOCKER = {"--shm-size", "--cpus"}


def blocks(text: str, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(text) if name == language]


def commands(text: str) -> list[str]:
    """The commands of a page's `sh` blocks with their comments, a line each; a script, from `#!` on, as one."""
    return [line for block in blocks(text, "sh") for line in lines_of(block)]


def lines_of(block: str) -> list[str]:
    lines = [block] if block.startswith("#!") else block.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]


def shown(text: str) -> Iterator[tuple[str, bool]]:
    """Each piece of code of a page, and whether it is whole."""
    for command in commands(text):
        yield from ((line, True) for line in command.replace("\\\n", " ").splitlines())
    rest = VARIANTS.sub("", FENCE.sub("", text))
    for block in INDENTED.findall(rest):
        yield from ((line.strip(), True) for line in block.splitlines())
    yield from ((" ".join(code.split()), False) for code in re.findall(r"`([^`]+)`", INDENTED.sub("", rest)))


class Parser(Exception):
    """In the place of what a command does once it has read its arguments: its parser, and how that would have read."""


class Wrong(Exception):
    """What is wrong with what is shown."""


@functools.cache
def parser_of(command: str) -> tuple[argparse.ArgumentParser, str]:
    """The parser that `vidtok COMMAND` or a script of tools/ makes, and the name of its method that reads."""

    def caught(how: str):
        def parse(self, *_, **__):
            raise Parser(self, how)

        return parse

    with contextlib.ExitStack() as patches:
        for called, how in (
            ("parse_args", "parse_known_args"),
            ("parse_intermixed_args", "parse_known_intermixed_args"),
        ):
            patches.enter_context(patch.object(argparse.ArgumentParser, called, caught(how)))
        patches.enter_context(patch.object(sys, "path", [str(ROOT / "tools"), *sys.path]))
        try:
            if command in COMMANDS:
                importlib.import_module(f"vidtok.cli.{COMMANDS[command][0]}").run([])
            else:
                runpy.run_path(str(ROOT / "tools" / command), run_name="__main__")
        except Parser as found:
            return found.args
    raise AssertionError(f"{command} reads no arguments")


@functools.cache
def options_of(command: str) -> set[str]:
    return set(parser_of(command)[0]._option_string_actions)


@functools.cache
def torchrun_options() -> set[str]:
    from torch.distributed.run import get_args_parser

    return set(get_args_parser()._option_string_actions)


class AnyOf:
    """The choices of an option, to which placeholders belong."""

    def __init__(self, choices):
        self.choices = choices

    def __contains__(self, value: object) -> bool:
        return value in self.choices or bool(PLACEHOLDER.fullmatch(str(value)))

    def __iter__(self):
        return iter(self.choices)


def read(command: str, words: Sequence[str], *, whole: bool) -> argparse.Namespace:
    """The words as the command's parser reads them. Wrong for what it refuses."""
    parser, how = copy.deepcopy(parser_of(command))

    def refuse(message: str):
        raise Wrong(message)

    parser.error = refuse
    parser.allow_abbrev = False
    for group in parser._mutually_exclusive_groups:
        group.required = group.required and whole
    for action in parser._actions:
        inner = action.type or str
        action.type = lambda text, inner=inner: text if PLACEHOLDER.fullmatch(text) else inner(text)
        action.choices = None if action.choices is None else AnyOf(action.choices)
        if not whole:
            action.required = False
            more = {None: "?", "+": "*"}
            action.nargs = more.get(action.nargs, action.nargs)
    given, over = getattr(parser, how)(list(words))
    if over := [word for word in over if word != "…"]:
        raise Wrong(f"unrecognized arguments: {' '.join(over)}")
    return given


@functools.cache
def complaints(config: str, *changes: str) -> list[str]:
    """All that a config has to say of changes to it, each as `key: what is wrong`, or in words."""
    try:
        load_config(config, changes)
    except ConfigError as error:
        first, *more = str(error).split("\n  ")
        return more or [first]
    return []


def about(complaint: str, change: str) -> bool:
    """Whether a complaint is about the key or the value of a change, and not about how keys go together."""
    key, _, value = change.partition("=")
    path = complaint.partition(":")[0]
    if "unknown key" in complaint or complaint.startswith("override "):
        return f"{key}.".startswith(f"{path}.") or f"{path}.".startswith(f"{key}.")
    return f"{path}.".startswith(f"{key}.") and not OPEN.search(value)


def check_changes(config: str | None, changes: Sequence[str]) -> None:
    """A config that comes with vidtok has to take all changes together.

    Where it is the reader's own, None, each key has to be one of any config, and of a model one of some that comes with
    vidtok.
    """
    changes = [change if "=" in change and "…" not in change else f"{change.partition('=')[0]}=N" for change in changes]
    if config is not None:
        if told := complaints(config, *(change for change in changes if not OPEN.search(change))):
            raise Wrong("; ".join(told))
        changes = [change for change in changes if OPEN.search(change)]
    for change in changes:
        names = [config] if config is not None else CONFIGS if change.startswith("model") else CONFIGS[:1]
        tries = ([each for each in complaints(name, change) if about(each, change)] for name in names)
        first = next(tries)
        if first and all(tries):
            raise Wrong(first[0])


def check_values(command: str, given: argparse.Namespace) -> None:
    """Configs, their keys, and models that a command names."""
    rest = [*(getattr(given, "overrides", None) or []), *(getattr(given, "rest", None) or [])]
    config = getattr(given, "cfg", None)
    if config is not None and (PLACEHOLDER.fullmatch(config) or config == "mine.yaml"):
        config = None
    check_changes(config, [word for word in rest if "=" in word])
    name = given.model if command in ("models", "convert") else None
    if name is not None and not PLACEHOLDER.fullmatch(name) and name not in list_models():
        raise Wrong(f"there is no model {name!r}")


def command_in(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """The command among the words, by its name in COMMANDS or TOOLS, and what it is given; None: another program's."""
    for word, *rest in (words[k:] for k in range(len(words))):
        if word == "python" and rest[:1] == ["-m"] and not is_module(rest[1]):
            raise Wrong(f"there is no module {rest[1]!r}")
        if word == "vidtok" and rest:
            if rest[0] in COMMANDS:
                return rest[0], rest[1:]
            raise Wrong(f"vidtok has no command {rest[0]!r}")
        if (name := word.removeprefix("tools/")) in TOOLS:
            return WRAPPERS.get(name, name), rest
        if re.fullmatch(r"tools/\w+\.py", word):
            raise Wrong(f"there is no {word}")
    short = len(words) > 1 and words[0] in COMMANDS and words[1].startswith("-")
    return (words[0], list(words[1:])) if short else None


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # what it is said to lie in is not there
        return False


def check_comment(command: str, comment: str) -> None:
    """Options and commands that the comment behind a command speaks of."""
    for name in re.findall(r"vidtok ([a-z-]+)", comment):
        if name not in COMMANDS:
            raise Wrong(f"vidtok has no command {name!r}")
    for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", comment):
        if option not in options_of(command):
            raise Wrong(f"{command} has no option {option}")


def check_torchrun(words: Sequence[str]) -> None:
    """The options of torchrun, up to the script that it starts."""
    for word in itertools.takewhile(lambda word: not word.endswith(".py"), words):
        if word.startswith("-") and word not in torchrun_options():
            raise Wrong(f"torchrun has no option {word}")


def check(code: str, *, whole: bool) -> None:
    """Raise Wrong for code that names what is not there."""
    code, _, comment = code.partition(" #")
    try:
        words = shlex.split(re.sub(r"\[(--[^\]]+)\]", r"\1", code), comments=True)
    except ValueError as error:
        if whole or re.match(r"vidtok |python |torchrun |tools/", code):
            raise Wrong(f"{error}: {code}") from error
        return  # words of a sentence, or of another language
    words = list(itertools.takewhile(lambda word: word not in ("&", "&&", "|"), words))
    if words and all(map(KEY.fullmatch, words)):
        check_changes(None, words)
    elif KEY.fullmatch(code) and not whole:  # a value with spaces, which a shell would want in quotes
        check_changes(None, [code])
    elif found := command_in(words):
        check_comment(found[0], comment)
        check_torchrun(words[words.index("torchrun") :] if "torchrun" in words else [])
        if whole or found[1]:
            check_values(found[0], read(*found, whole=whole and "…" not in words))


@pytest.mark.parametrize("page", PAGES)
def test_commands_options_and_keys_are_there(page):
    text = PAGES[page]
    wrong = []
    for code, whole in shown(text):
        try:
            check(code, whole=whole)
        except Wrong as error:
            wrong.append(f"{code}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_options_in_sentences_are_those_of_some_command(page):
    """Of a script of tools/ where the page names it."""
    named = {name for name in TOOLS if name not in WRAPPERS and f"tools/{name}" in PAGES[page]}
    known = OF_DOCKER | torchrun_options() | {option for name in (*COMMANDS, *named) for option in options_of(name)}
    options = [re.split("[ =]", code)[0] for code, whole in shown(PAGES[page]) if not whole and code.startswith("--")]
    assert [option for option in options if option not in known] == []


@pytest.mark.parametrize("page", PAGES)
def test_models_configs_and_extras_are_there(page):
    """Those that Python code and `pip install` name."""
    models = set(re.findall(r'create_model\("([^"]+)"', PAGES[page]))
    assert models <= set(list_models())
    assert set(re.findall(r'run_train\("([^"]+)"', PAGES[page])) <= set(CONFIGS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"vidtok\[([\w-]+)\]", PAGES[page])) <= set(project["optional-dependencies"])


def test_commands_stand_in_blocks_that_say_so():
    """A block without a language is of what files hold and commands print."""
    for page, text in PAGES.items():
        lines = "\n".join(blocks(text, "")).splitlines()
        assert not [line for line in lines if re.match(r"(?:vidtok|python|torchrun|pip) ", line)], page
        assert {name for name, _ in FENCE.findall(text) if name[:1] != "{"} <= {"", "sh", "python"}, page


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("vidtok predcit a.mp4", "vidtok has no command 'predcit'"),
        ("vidtok fit my/clips --out RUN --encodr NAME", "unrecognized arguments: --encodr NAME"),
        ("vidtok fit my/clips --out RUN --enc NAME", "unrecognized arguments: --enc NAME"),
        ("vidtok fit my/clips", "the following arguments are required: --out"),
        ("vidtok fit my/clips --out RUN --probe linea", "argument --probe: invalid choice: 'linea'"),
        ("vidtok fit my/clips --out RUN --frames many", "argument --frames: invalid"),
        ("vidtok fit my/clips --out runs/own  # --gruop COLUMN keeps people together", "fit has no option --gruop"),
        ("vidtok fit my/clips --out runs/own  # then vidtok tset", "vidtok has no command 'tset'"),
        ("vidtok visualize a.mp4 --out maps.mp4", "one of the arguments --checkpoint --checkpoints is required"),
        ("vidtok train --cfg k401_vivit_tl8", "k401_vivit_tl8: no such config file"),
        ("vidtok train --cfg k401_vivit_tl8 data.train=LIST", "k401_vivit_tl8: no such config file"),
        ("vidtok train --cfg k400_vivit_tl8 data.trian=LIST", "data.trian: unknown key; did you mean 'train'"),
        ("python tools/train_net.py --cfg configs/k400_vivit_tl8.yaml train.rate=1", "train.rate: unknown key"),
        ("vidtok train --cfg k400_vivit_tl8 train.lr=fast", "train.lr: input should be a valid number"),
        ("vidtok train --cfg k400_vivit_tl8 model.token_learner.tokns=8", "did you mean 'tokens'"),
        ("vidtok train --cfg mine.yaml train.stps=20", "train.stps: unknown key; did you mean 'steps'"),
        ("vidtok train --cfg … eval.protocl=NAME", "eval.protocl: unknown key; did you mean 'protocol'"),
        ("vidtok test --checkpoint RUN eval.protocol=scenic_4x4", "eval.protocol: input should be"),
        ("vidtok test --checkpoint RUN evl.clips=4", "evl: unknown key; did you mean 'eval'"),
        ("vidtok explain k400_vivit_tl8 a.mp4 data.strid=4", "data.strid: unknown key"),
        ("vidtok models --model vivit_b16", "there is no model 'vivit_b16'"),
        ("python tools/bench_model.py --only casvit_xs", "there is no tools/bench_model.py"),
        ("python tools/bench_models.py --only casvit", "argument --only: invalid choice: 'casvit'"),
        ("python -m vidtok tset --checkpoint RUN", "vidtok has no command 'tset'"),
        ("python -m tests.file_trees", "there is no module 'tests.file_trees'"),
        ("torchrun --procs 8 tools/train_net.py --cfg k400_vivit_tl8", "torchrun has no option --procs"),
        ("torchrun --nproc-per-node 8 tools/train_net.py --config k400_vivit_tl8", "required: --cfg"),
        ("data.frame=16", "data.frame: unknown key; did you mean 'frames'"),
        ("train.clip_grad", "train.clip_grad: unknown key; did you mean 'clip_norm'"),
        ("'model.mixer={name: mhsb}'", "there is no mixer 'mhsb'"),
        ("vidtok fit 'my clips --out RUN", "No closing quotation"),
    ],
)
def test_what_is_not_there_is_found(code, told):
    with pytest.raises(Wrong) as error:
        check(code, whole=True)
    assert told in str(error.value)


@pytest.mark.parametrize(
    "code",
    [
        "vidtok fit DIR|LIST --out RUN [--frames N] [--probe PROBE]",
        "vidtok train --cfg … data.train=LIST eval.protocol=NAME",
        "nohup vidtok train … &",
        "vidtok test --checkpoint RUN --allow-missing eval.clips=N",
        "vidtok fit --probe …",
    ],
)
def test_what_is_left_open_is_allowed(code):
    check(code, whole=True)


def test_a_part_of_a_command_is_enough_in_backticks():
    for code in ("vidtok fit", "vidtok test --list", "fit --probe attentive", "make_lists.py --none drop"):
        check(code, whole=False)
        with pytest.raises(Wrong):
            check(code.replace("--", "--no-") + " --no-such", whole=False)
