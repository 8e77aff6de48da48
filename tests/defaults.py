"""What a section of the configuration takes where nothing is said, and what functions do."""

import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel


def defaults(section: type[BaseModel]) -> dict[str, Any]:
    """By key, of those that may be left out."""
    return {
        key: field.get_default(call_default_factory=True)
        for key, field in section.model_fields.items()
        if not field.is_required()
    }


def function_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """By name, of the parameters that may be left out."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}
