"""YAML and overrides in, one checked Config out, with all problems at once. The only reader of YAML."""

import dataclasses
import difflib
import functools
import importlib
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from vidtok.config import Config
from vidtok.errors import ConfigError, ModelError
from vidtok.models import network_class
from vidtok.nn.mixers import mixer_class

# These come from the data section; a second statement of them could only disagree.
FROM_DATA = ("classes", "frames", "size")
MIXER_KEYS = ("mixer", "token_mixer")


class _Loader(yaml.SafeLoader):
    """YAML without its traps: `1e-3` is a number, `on`, `no` and dates are text, a repeated key is an error."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] not in ("bool", "float", "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|nan))$"),
    list("-+.0123456789"),
)


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


def load_config(file: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file, apply `key.sub=value` overrides in order, and check the whole.

    Raises ConfigError that lists every problem with its dotted path, and the nearest known key where one is unknown.
    """
    path = Path(file)
    if not path.is_file():
        others = ", ".join(sorted(str(p) for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"{path}: no such config file. Config files in that folder: {others}")
    return load_config_text(path.read_text(encoding="utf-8"), overrides, source=str(path), run_dir=f"runs/{path.stem}")


def load_config_text(text: str, overrides: Sequence[str] = (), *, source: str, run_dir: str | None = None) -> Config:
    """The same for text; `source` names it in messages, `run_dir` is the run's folder where nothing else says."""
    tree = _parse(text, source=source)
    if not isinstance(tree, dict):
        raise ConfigError(f"{source}: a config is a mapping with the sections {', '.join(Config.model_fields)}")
    for override in overrides:
        _apply(tree, override)
    run = tree.get("run")
    if run is None or (isinstance(run, dict) and run.get("dir") is None):
        tree["run"] = {**(run or {}), "dir": run_dir}
    return check(tree, source=source)


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


def check(tree: Mapping[str, Any], *, source: str) -> Config:
    """Check a raw tree: the sections against the schema, the model's options against its constructor's signature."""
    try:
        text = json.dumps(tree, allow_nan=True)
    except TypeError as error:
        raise ConfigError(f"{source}: {error}") from error
    problems, config = _problems(Config, text, at=())
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
        network_class(str(model.get("name")))
    except ModelError as error:
        return [f"model.name: {error}"]
    return _checked_options(model)[0]


def network_options(model: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a checked `model` section with the types that the network's constructor states."""
    return _checked_options(model)[1]


def _checked_options(model: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    options = {key: value for key, value in model.items() if key != "name"}
    schema = _schema(network_class(str(model["name"])), without=FROM_DATA)
    problems, checked = _problems(schema, json.dumps(options), at=("model",))
    typed = {key: getattr(checked, key) for key in options} if checked is not None else {}
    for key in MIXER_KEYS:
        if key in options:
            found, typed[key] = _checked_mixers(options[key], ("model", key))
            problems += found
    return problems, typed


def _checked_mixers(value: Any, at: tuple[str | int, ...]) -> tuple[list[str], Any]:
    """One mixer, or lists of them, checked against the mixers' own signatures."""
    if isinstance(value, list):
        parts = [_checked_mixers(item, (*at, index)) for index, item in enumerate(value)]
        return [problem for found, _ in parts for problem in found], [typed for _, typed in parts]
    if not isinstance(value, dict):
        return [], value  # the network's own schema has complained already
    path = ".".join(map(str, at))
    if "name" not in value:
        return [f"{path}.name: missing; for example name: mhsa"], value
    try:
        schema = _schema(mixer_class(str(value["name"])), without=())
    except ModelError as error:
        return [f"{path}.name: {error}"], value
    rest = {name: option for name, option in value.items() if name != "name"}
    problems, checked = _problems(schema, json.dumps(rest), at=at)
    typed = {name: getattr(checked, name) for name in rest} if checked is not None else rest
    return problems, {"name": value["name"], **typed}


def _schema(callable_: Callable[..., Any], *, without: tuple[str, ...]) -> type[BaseModel]:
    """The keyword-only parameters of a constructor as a strict schema."""
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(callable_).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and name not in without:
            required = parameter.default is parameter.empty
            # A factory, since pydantic would copy a default, and a read-only mapping cannot be copied.
            field = Field() if required else Field(default_factory=functools.partial(_same, parameter.default))
            fields[name] = (parameter.annotation, field)
    rules = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
    return create_model(callable_.__name__, __config__=rules, **fields)


def _same(value: Any) -> Any:
    return value


def _problems(schema: type[BaseModel], text: str, *, at: tuple[str | int, ...]) -> tuple[list[str], Any]:
    """Every complaint about `text` as `dotted.path: what is wrong`, and the checked values where there is none."""
    try:
        return [], schema.model_validate_json(text, strict=True)
    except ValidationError as error:
        found: dict[str, str] = {}
        for item in error.errors(include_url=False):
            path = ".".join(str(part) for part in (*at, *item["loc"]))
            message = _explain(schema, item)
            found[path] = f"{found[path]}, or {message}" if path in found else message
        return [f"{path}: {message}" for path, message in found.items()], None


def _explain(schema: type[BaseModel], item: Any) -> str:
    if item["type"] == "missing":
        return "missing"
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _keys_beside(schema, item["loc"])
        near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        return "unknown key; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")
    if item["type"] == "value_error":  # of a rule between keys: its message says all
        return item["msg"].removeprefix("Value error, ")
    return f"{item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"


def _keys_beside(schema: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that are known where `loc` points to an unknown one."""
    for part in loc[:-1]:
        field = schema.model_fields.get(str(part))
        inner = field.annotation if field else None
        for choice in (inner, *getattr(inner, "__args__", ())):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                schema = choice
                break
            if isinstance(choice, type) and dataclasses.is_dataclass(choice):
                return [field.name for field in dataclasses.fields(choice)]
    return list(schema.model_fields)


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML, with every default spelled out; `load_config` reads it back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


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
