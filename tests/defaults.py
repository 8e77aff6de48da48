"""What a section of the configuration takes where nothing is said."""

from typing import Any

from pydantic import BaseModel


def defaults(section: type[BaseModel]) -> dict[str, Any]:
    """By key, of those that may be left out."""
    return {
        key: field.get_default(call_default_factory=True)
        for key, field in section.model_fields.items()
        if not field.is_required()
    }
