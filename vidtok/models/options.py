"""Options of networks and mixers, checked against the signatures of their constructors.

The keyword-only parameters are the schema. Values travel as plain JSON (numbers, text, lists, mappings), in configs and
beside saved weights; the check gives them the types that the constructor states.
"""

import dataclasses
import difflib
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from vidtok.errors import ModelError
from vidtok.models.registry import network_class
from vidtok.nn.mixers import mixer_class

# Every network takes these, and whoever builds it knows them; a second statement of them could only disagree.
FROM_BUILDER = ("classes", "frames", "size")
MIXER_KEYS = ("mixer", "token_mixer")
ONLY_TRAINING = ("dropout", "drop_path", "drop_path_rescale", "trained_blocks")
"""Options that change no output in evaluation."""


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON has them: dataclasses become mappings, tuples lists. TypeError for what JSON cannot hold."""
    return json.loads(_json(options))


def _json(value: Any) -> str:
    def inner(part: Any) -> Any:
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
        if isinstance(part, Mapping):
            return dict(part)
        raise TypeError(f"{part!r} is neither a number, text, list nor mapping")

    return json.dumps(value, default=inner)


def typed_options(network: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Plain options with the types of the network's constructor; ModelError lists all that is wrong with them."""
    problems, typed = check_options(network, options, at=())
    if problems:
        raise ModelError(f"options of {network}:\n  " + "\n  ".join(problems))
    return typed


def every_option(network: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a network as plain values: the given ones, and the constructor's defaults for the rest."""
    parameters = inspect.signature(network_class(network)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.name not in FROM_BUILDER and p.default is not p.empty}
    return plain({**defaults, **typed_options(network, options)})


def check_options(
    network: str, options: Mapping[str, Any], *, at: tuple[str | int, ...]
) -> tuple[list[str], dict[str, Any]]:
    """Every complaint about a network's plain options, each with its path below `at`, and the typed options."""
    schema = _schema(network_class(network), without=FROM_BUILDER)
    problems, checked = find_problems(schema, json.dumps(options), at=at)
    typed = {key: getattr(checked, key) for key in options} if checked is not None else {}
    for key in MIXER_KEYS:
        if key in options and key in schema.model_fields:
            found, typed[key] = _checked_mixers(options[key], (*at, key))
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
    problems, checked = find_problems(schema, json.dumps(rest), at=at)
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


def find_problems(schema: type[BaseModel], text: str, *, at: tuple[str | int, ...]) -> tuple[list[str], Any]:
    """Every complaint about JSON `text` as `dotted.path: what is wrong`, and the checked values where there is none."""
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
        name = str(item["loc"][-1])
        near = _nearest(name, known) or _elsewhere(name, schema) or _with_its_words(name, known)
        return "unknown key; " + (f"did you mean {near!r}?" if near else f"known: {', '.join(known)}")
    if item["type"] == "value_error":  # of a rule between keys: its message says all
        return item["msg"].removeprefix("Value error, ")
    return f"{item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"


OTHER_WORDS = {
    "learning_rate": "lr",
    "base_lr": "lr",
    "batch_size": "batch",
    "max_epochs": "epochs",
    "max_steps": "steps",
    "iterations": "steps",
    "wd": "weight_decay",
    "optim": "optimizer",
    "scheduler": "schedule",
    "clip_grad": "clip_norm",
    "grad_clip": "clip_norm",
    "gradient_clip_val": "clip_norm",
    "amp": "precision",
    "dtype": "precision",
    "pretrained": "init",
    "early_stopping": "patience",
    "num_workers": "workers",
    "num_frames": "frames",
    "clip_len": "frames",
    "sampling_rate": "stride",
    "frame_interval": "stride",
    "img_size": "size",
    "image_size": "size",
    "crop_size": "size",
    "resolution": "size",
    "output_dir": "dir",
    "dim": "width",
    "embed_dim": "width",
    "hidden_size": "width",
    "num_heads": "heads",
    "num_layers": "depth",
    "patch_size": "tubelet",
}
"""Names that other frameworks have for keys of ours."""


def _nearest(name: str, known: list[str]) -> str:
    """The known key that is probably meant: another word for it, or much the same letters; empty: none."""
    if OTHER_WORDS.get(name) in known:
        return OTHER_WORDS[name]
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")


def _with_its_words(name: str, known: list[str]) -> str:
    """The first known key that has a word more or less; empty: none."""
    words = set(name.split("_"))
    return next((key for key in known if set(key.split("_")) < words or words < set(key.split("_"))), "")


def _elsewhere(name: str, schema: type[BaseModel]) -> str:
    """The dotted path of a key of this name, or of that which is meant by it, in another section; empty: none."""
    for section, field in schema.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            for key in (name, OTHER_WORDS.get(name)):
                if key in inner.model_fields:
                    return f"{section}.{key}"
    return ""


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
