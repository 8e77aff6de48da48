"""The house has floors: a module imports its own sub-package, lower floors, and rooms to its left on floors 3 to 5."""

import ast
import re
from pathlib import Path

import vidtok
from vidtok.build_words import NETWORK_ARGUMENTS, SECTIONS

PACKAGE = Path(vidtok.__file__).parent
# One row per floor, from the ground; on floors 3 to 5 a room may import the rooms to its left.
FLOORS = [
    ["errors", "choices", "types"],
    ["text", "video", "nn", "metrics"],
    ["data", "models", "viz"],
    ["infer", "train"],
    [
        "config_section",
        "config_data",
        "config_train",
        "config",
        "config_io",
        "build_words",
        "build_data",
        "build_encoder",
        "build",
        "build_train",
        "build_resume",
        "loading",
    ],
    ["runs"],
    ["page", "cli", "__init__", "__main__"],
]
ROOMS = {room: (floor, place) for floor, rooms in enumerate(FLOORS) for place, room in enumerate(rooms)}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(file: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: import absolutely, so that the floor can be seen"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "vidtok" else [node.module]
            )
            found += [(node.lineno, name) for name in names]
    return [(line, name) for line, name in found if name and name.split(".")[0] == "vidtok"]


def allowed(source: str, target: str) -> bool:
    if source == target:
        return True
    floor, place = ROOMS[source]
    other_floor, other_place = ROOMS[target]
    return other_floor < floor or (other_floor == floor >= 3 and other_place < place)


def test_imports_go_down():
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        source = room_of(".".join(("vidtok", *file.relative_to(PACKAGE).with_suffix("").parts)))
        assert source in ROOMS, f"{file}: no floor is given for {source!r}"
        for line, name in imports_of(file):
            if not allowed(source, room_of(name)):
                wrong.append(f"{file.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_cycle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring, or nothing."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(arrows.get(module, ())):
            if found := walk(target, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(arrows) if (found := walk(module, []))), [])


def test_no_modules_import_each_other_in_a_ring():
    """Not even inside a room, nor in a function: what two modules need of each other belongs below both."""
    files = {module_of(file): file for file in PACKAGE.rglob("*.py")}
    arrows: dict[str, set[str]] = {}
    for module, file in files.items():
        for _, name in imports_of(file):
            target = name if name in files else name.rpartition(".")[0]
            # A package that lists its modules is no reason for one of them to know it.
            if target in files and target != module and not module.startswith(f"{target}."):
                arrows.setdefault(module, set()).add(target)
    assert find_cycle(arrows) == []


def test_the_checker_finds_a_ring():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_the_checker_sees_a_wrong_import():
    assert not allowed("nn", "data")
    assert not allowed("infer", "train")
    assert allowed("train", "infer")
    assert not allowed("data", "models")


def test_nothing_below_build_takes_a_config():
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line, name in imports_of(file)
        if room_of(name).startswith("config")
        and ROOMS[room_of("vidtok." + file.relative_to(PACKAGE).parts[0].removesuffix(".py"))][0] < 4
    ]
    assert not wrong, wrong


def messages_of(file: Path) -> list[tuple[int, str]]:
    """Line and text of every literal of a module, docstrings too; of f-strings what stands between the values."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [(n.lineno, n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def spoken_keys(text: str) -> list[str]:
    """What a text names of the configuration, with its section."""
    return [
        f"{section}.{key}"
        for section, key in re.findall(r"(?<![\w./])(\w+)\.(\w+)", text)
        if key in KEYS_OF.get(section, ())
    ]


KEYS_OF = {name: {*section.model_fields} for name, section in SECTIONS.items()} | {
    "model": {"name", *NETWORK_ARGUMENTS}
}
OPTIONS = sorted(
    option
    for file in (PACKAGE / "cli").glob("*.py")
    for option in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', file.read_text(encoding="utf-8"))
)


def test_messages_of_the_lower_floors_name_arguments_and_no_keys():
    """They say `name`; vidtok.build_words and the commands know what their callers call it."""
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        if ROOMS[room_of(module_of(file))][0] > 3:
            continue
        for line, text in messages_of(file):
            said = [*spoken_keys(text), *(option for option in OPTIONS if re.search(rf"{option}\b(?!-)", text))]
            if said:
                wrong.append(f"{file.relative_to(PACKAGE)}:{line} says {', '.join(said)}")
    assert not wrong, "\n".join(wrong)


def test_the_checker_hears_keys():
    assert spoken_keys("set train.loss=sigmoid, or data.fit; model.pool=mean and (eval.crops)") == [
        "train.loss",
        "data.fit",
        "model.pool",
        "eval.crops",
    ]
    assert not spoken_keys("vidtok.data.lists, my.train.lr, model.safetensors, model.train(), set `loss`=sigmoid")
    assert {"--format", "--resume", "--encoder", "--backend"} < {*OPTIONS}


def test_shapes_are_checked_in_every_module():
    postponed = [
        f for f in PACKAGE.rglob("*.py") if "from __future__ import annotations" in f.read_text(encoding="utf-8")
    ]
    assert not postponed, f"postponed annotations switch the shape checks off: {postponed}"


def test_files_stay_short():
    long = {
        str(f.relative_to(PACKAGE)): n
        for f in PACKAGE.rglob("*.py")
        if (n := len(f.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long, f"split these files: {long}"
