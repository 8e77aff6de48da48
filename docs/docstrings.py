"""Docstrings shown as they are written: vidtok's are plain text, and Sphinx reads reStructuredText."""

import re
from inspect import Parameter, Signature
from itertools import groupby
from typing import Any, get_type_hints

from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util import inspect

CODE = re.compile(r"(?<!`)(`[^`\s](?:[^`]*[^`\s])?`)(?!`)")
ITEM = re.compile(r"(?:[-*+]|\d+[.)]) ")
COLUMNS = re.compile(r"\S {3,}\S")
"""More blanks between two words than text has: the line is a row of a table or a picture."""
MARKUP = re.compile(r"(?m)(?!^\* )[*|`\\]|_+(?!\w)")
"""What would be read as emphasis, a substitution, a line of verse, a role, an escape or a reference."""
START = re.compile(r"[^\w\s`\\]|[A-Za-z][.)] ")
"""What may open a directive, a field, an example or a list of letters, where a paragraph begins."""
HIDDEN = "(*args, **kwargs)"


def as_rst(lines: list[str]) -> list[str]:
    """A docstring without its common indentation in reStructuredText that shows what is written.

    Indented lines become a literal block, together with the lines at the margin where these are rows of the same
    table; behind `::` they are one already, and below a list item they belong to it. In the text single backticks are
    code, and nothing else is markup.
    """
    done: list[str] = []
    behind = "text"
    for block in blocks(lines):
        if is_table(block):
            block, behind = [f"    {line}" for line in block], "text"
        for indented, run in groupby(block, key=lambda line: line.startswith(" ")):
            own = list(run)
            if not indented:
                if behind == "literal" and done[-1]:
                    done.append("")
                is_item = ITEM.match(own[0]) is not None
                done += plain(own, is_item=is_item)
                behind = "literal" if own[-1].endswith("::") else "item" if is_item else "text"
            elif behind == "item":
                done += plain(own, is_item=True)
            else:
                if behind == "text":
                    done += [*([""] if done and done[-1] else []), "::", ""]
                done += own
                behind = "literal"
        done.append("")
    return done


def blocks(lines: list[str]) -> list[list[str]]:
    """The lines between blank ones."""
    return [list(run) for filled, run in groupby(lines, key=lambda line: bool(line.strip())) if filled]


def is_table(block: list[str]) -> bool:
    """Whether lines at the margin, and those below, are rows of a table or a picture."""
    return len(block) > 1 and any(COLUMNS.search(line) for line in block if not line.startswith(" "))


def plain(lines: list[str], *, is_item: bool) -> list[str]:
    """Text in which code alone is markup."""
    parts = CODE.split("\n".join(lines))
    for place, part in enumerate(parts):
        if place % 2:  # a blank that is not shown lets code stand beside a letter
            before, behind = parts[place - 1][-1:], parts[place + 1][:1]
            code = part.replace("\\", "\\\\")
            parts[place] = ("\\ " if before.strip() else "") + code + ("\\ " if behind.strip() else "")
        else:
            parts[place] = MARKUP.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), part)
    text = "".join(parts)
    return ("\\" * (not is_item and START.match(text) is not None) + text).split("\n")


def rewrite(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = as_rst(lines)


class Words(str):
    """A default that is shown without quotes."""

    __repr__ = str.__str__


def signature_of(
    app: Sphinx, what: str, name: str, obj: Any, options: object, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """How a class is made, where Python does not say it as it is written.

    A section of the configuration shows its keys without their checks, and no default of a section inside of it. A base
    may hide the arguments, as huggingface_hub's does; every Protocol has such a base, and no arguments.
    """
    if what != "class" or signature is None:
        return None
    if is_section(obj):
        found = signature_of_keys(obj)
    elif signature == HIDDEN:
        found = inspect.signature(obj.__init__, bound_method=True)
    else:
        return signature.replace("<factory>", "..."), returns
    text = inspect.stringify_signature(found, unqualified_typehints=True)
    return "" if text == HIDDEN else text, returns


def is_section(obj: object) -> bool:
    return isinstance(obj, type) and issubclass(obj, BaseModel)


def signature_of_keys(section: Any) -> Signature:
    # Without what pydantic checks beside the type, here and where the keys themselves are shown.
    section.__annotations__ = get_type_hints(type("Bare", (), {"__annotations__": section.__annotations__}))
    keys = []
    for name, field in section.model_fields.items():
        default = Parameter.empty if field.is_required() else field.default
        if is_section(type(default)):
            default = Words(f"{type(default).__name__}()")
        keys.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=section.__annotations__[name]))
    return Signature(keys)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", signature_of)
    return {"parallel_read_safe": True}
