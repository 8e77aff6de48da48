"""YAML and overrides in, one checked Config out, with all problems at once. The only reader of YAML."""

import importlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from vidtok.config import Config
from vidtok.data.eval_protocols import PROTOCOLS, protocol_words
from vidtok.errors import ConfigError, ModelError
from vidtok.models.options import check_options, find_problems
from vidtok.models.presets import network_and_options

PROTOCOL_KEYS = ("clips", "crops", "aggregate")


class _Loader(yaml.SafeLoader):
    """YAML without its traps: `1e-3` is a number, `on`, `no` and dates are text, a repeated key is an error.

    Whole numbers are written as one says them: `010` (8 in YAML), `1:30` (90), `0x10` and `1_000` are text, which is
    right for a folder's name and refused where a number is wanted.
    """


class _Dumper(yaml.SafeDumper):
    """Text that `_Loader` or YAML itself would read as something else is written in quotes."""


REPLACED = ("bool", "int", "float", "timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] not in REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|nan))$"),
    list("-+.0123456789"),
)
_Dumper.yaml_implicit_resolvers = {
    first: yaml.SafeDumper.yaml_implicit_resolvers.get(first, []) + _Loader.yaml_implicit_resolvers.get(first, [])
    for first in {**yaml.SafeDumper.yaml_implicit_resolvers, **_Loader.yaml_implicit_resolvers}
}


def _mapping_without_repeats(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for (key_node, _), key in zip(node.value, keys, strict=True):
        if not isinstance(key, str):
            raise ConfigError(f"{_where(key_node)}: keys are text, got {key!r}")
        if keys.count(key) > 1:
            raise ConfigError(f"{_where(key_node)}: the key {key!r} stands more than once in one section")
    return dict(zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repeats)


def _where(node: yaml.Node) -> str:
    return f"{node.start_mark.name}:{node.start_mark.line + 1}"


def _parse(text: str, *, source: str) -> Any:
    loader = _Loader(text)
    loader.name = source
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML: {error}") from error
    finally:
        loader.dispose()


def find_config(cfg: str | Path | Config, overrides: Sequence[str] = ()) -> Config:
    """The config that a user means: a file, the name of one that comes with vidtok, or one that is checked already.

    Overrides go on top. Raises ConfigError as `load_config` does.
    """
    if not isinstance(cfg, Config):
        return load_config(cfg, overrides)
    if not overrides:
        return cfg
    return load_config_text(to_yaml(cfg), overrides, source="the config", run_dir=cfg.run.dir, allow_plugins=True)


def load_config(file: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file of the user's own, apply `key.sub=value` overrides in order, and check the whole.

    A file that is not there may be the name of a config that comes with vidtok, with or without folder and ending.
    The modules that it names under `plugins` are imported. Raises ConfigError that lists every problem with its dotted
    path, and the nearest known key where one is unknown.
    """
    path = Path(file)
    if not path.is_file():
        own = shipped("configs", path.name if path.suffix == ".yaml" else f"{path.name}.yaml")
        if own is None or path.parent.name not in ("", "configs"):
            raise ConfigError(f"{path}: no such config file. {_other_configs(path)}")
        path = own
    text, folder = path.read_text(encoding="utf-8"), f"runs/{path.stem}"
    return load_config_text(text, overrides, source=str(path), run_dir=folder, allow_plugins=True)


def shipped(folder: str, name: str) -> Path | None:
    """A file of `configs` or `data_lists` as it came with vidtok: in the installed package, or in the checkout."""
    package = Path(__file__).parent
    return next((path for home in (package, package.parent) if (path := home / folder / name).is_file()), None)


def _other_configs(path: Path) -> str:
    beside = sorted(str(other) for other in path.parent.glob("*.yaml"))
    if beside:
        return f"Config files in that folder: {', '.join(beside)}"
    package = Path(__file__).parent
    names = sorted({file.stem for home in (package, package.parent) for file in (home / "configs").glob("*.yaml")})
    return f"There are none in that folder; by name there are: {', '.join(names)}"


def load_config_text(
    text: str,
    overrides: Sequence[str] = (),
    *,
    source: str,
    run_dir: str | None = None,
    allow_plugins: bool = False,
) -> Config:
    """The same for text; `source` names it in messages, `run_dir` is the run's folder where nothing else says.

    The text may come with a file from elsewhere, so a module that it names under `plugins` is imported only with
    `allow_plugins`, or where an override names it. Without, ConfigError for one that is not imported already.
    """
    tree = _parse(text, source=source)
    if not isinstance(tree, dict):
        raise ConfigError(f"{source}: a config is a mapping with the sections {', '.join(Config.model_fields)}")
    _make_room(tree, overrides)
    for override in overrides:
        _apply(tree, override)
    _follow_protocol(tree)
    run = tree.get("run")
    if run is None or (isinstance(run, dict) and run.get("dir") is None):
        tree["run"] = {**(run or {}), "dir": run_dir}
    allowed = allow_plugins or any(override.partition("=")[0] == "plugins" for override in overrides)
    return check(tree, source=source, allow_plugins=allowed)


def _make_room(tree: dict[str, Any], overrides: Sequence[str]) -> None:
    """An override that names a protocol of testing takes the place of what the text says of views."""
    section = tree.get("eval")
    if isinstance(section, dict) and any(override.partition("=")[0] == "eval.protocol" for override in overrides):
        for key in PROTOCOL_KEYS:
            section.pop(key, None)


def _follow_protocol(tree: dict[str, Any]) -> None:
    """What a protocol of testing says of views, where nothing else does; what else does is compared in the config."""
    section = tree.get("eval")
    if isinstance(section, dict):
        words = {str(name): protocol_words(name) for name in PROTOCOLS}
        tree["eval"] = {**words.get(str(section.get("protocol")), {}), **section}


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {override!r}: write it as key.sub=value, for example train.lr=1e-3")
    *parents, last = key.split(".")
    section = tree
    for depth, name in enumerate(parents):
        inner = section.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"override {override!r}: {'.'.join(parents[: depth + 1])} is no section, but {inner!r}")
        section = inner
    section[last] = _parse(text, source=f"override {override!r}")


def check(tree: Mapping[str, Any], *, source: str, allow_plugins: bool) -> Config:
    """Check a raw tree: the sections against the schema, the model's options against its constructor's signature.

    `allow_plugins`: import the modules that it names, as its model may need what they register.
    """
    try:
        text = json.dumps(tree, allow_nan=True)
    except TypeError as error:
        raise ConfigError(f"{source}: {error}") from error
    problems, config = find_problems(Config, text, at=())
    if not allow_plugins and (strange := [name for name in _plugins(tree) if name not in sys.modules]):
        raise ConfigError(
            f"{source}: it names the plugin {strange[0]!r}, a module whose code would run here. It is imported only if "
            "you say so: by --cfg with a config of your own that names it, or plugins=[…] or --allow-plugins where the "
            "command has them; in Python by allow_plugins=True, or by importing it first"
        )
    for name in _plugins(tree):
        try:
            importlib.import_module(name)
        except ImportError as error:
            problems.append(f"plugins: {name!r} cannot be imported: {error}")
    if isinstance(tree.get("model"), dict):
        problems += _model_problems(tree["model"])
    if problems:
        raise ConfigError(f"{source}: {len(problems)} problem{'s'[: len(problems) > 1]}\n  " + "\n  ".join(problems))
    assert config is not None
    return config


def _plugins(tree: Mapping[str, Any]) -> list[str]:
    plugins = tree.get("plugins")
    return [name for name in plugins if isinstance(name, str)] if isinstance(plugins, list) else []


def _model_problems(model: Mapping[str, Any]) -> list[str]:
    try:
        network, options = network_and_options(model)
    except ModelError as error:
        return [f"model.name: {error}"]
    return check_options(network, options, at=("model",))[0]


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML, with every default spelled out; `load_config` reads it back to an equal one."""
    tree = config.model_dump(mode="json")
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def difference(one: Config, other: Config, *, ignore: Sequence[str] = ()) -> list[str]:
    """The keys in which two configurations differ, as `key: ours | theirs` lines."""
    a, b = _flat(one.model_dump(mode="json")), _flat(other.model_dump(mode="json"))
    keys = [key for key in {**a, **b} if not any(key == name or key.startswith(f"{name}.") for name in ignore)]
    return [f"{key}: {a.get(key, 'not set')} | {b.get(key, 'not set')}" for key in keys if a.get(key) != b.get(key)]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
