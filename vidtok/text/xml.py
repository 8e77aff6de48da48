"""XML that others write: elements with the numbers of their lines, and nothing that could grow or reach elsewhere.

Entities are what makes a small file large (each ten of the one before) and what reads other files: a file that declares
any is refused. XML of labelling tools has none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from vidtok.errors import DataError

MOST_DEPTH = 64


@dataclass(frozen=True, kw_only=True)
class Element:
    """`<tag attributes>text children</tag>`, and the line on which it begins."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.words).strip()

    def all(self, *tags: str) -> Iterator["Element"]:
        """The elements at this path of tags below this one."""
        if not tags:
            yield self
            return
        for child in self.children:
            if child.tag == tags[0]:
                yield from child.all(*tags[1:])

    def text_of(self, *tags: str) -> str:
        """The text of the first element at this path; nothing where there is none."""
        return next((each.text for each in self.all(*tags)), "")


def read_xml(path: Path) -> Element:
    """The root element of a file. Raises DataError, which names file and line, for what is no XML, and for entities."""
    parser = expat.ParserCreate()
    top: list[Element] = []
    open_elements: list[Element] = []

    def begin(tag: str, attributes: dict[str, str]) -> None:
        if len(open_elements) >= MOST_DEPTH:
            raise DataError(f"{path}:{parser.CurrentLineNumber}: elements lie more than {MOST_DEPTH} deep")
        element = Element(tag=tag, attributes=attributes, line=parser.CurrentLineNumber)
        (open_elements[-1].children if open_elements else top).append(element)
        open_elements.append(element)

    def refuse(*_: object) -> int:
        raise DataError(
            f"{path}:{parser.CurrentLineNumber}: declares an entity, which can grow without end or read other files; "
            "labelling tools write none: remove its <!DOCTYPE …>"
        )

    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _: open_elements.pop()
    parser.CharacterDataHandler = lambda words: open_elements[-1].words.append(words)
    parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    try:
        with open(path, "rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise DataError(f"{path}:{error.lineno}: not valid XML: {expat.ErrorString(error.code)}") from error
    return top[0]
