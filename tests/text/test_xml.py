"""XML: elements with their lines; nothing that grows or reaches elsewhere."""

import re

import pytest

from vidtok.errors import DataError
from vidtok.text.xml import MOST_DEPTH, read_xml

BILLION = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">\n' for n in range(1, 10))


def write(folder, text):
    (folder / "a.xml").write_text(text, encoding="utf-8")
    return folder / "a.xml"


def test_elements_words_and_lines(tmp_path):
    top = read_xml(write(tmp_path, '<a x="1">\n <b>one &amp; <c/>two</b>\n <b y="é">\n three </b></a>'))
    assert (top.tag, dict(top.attributes), top.line) == ("a", {"x": "1"}, 1)
    assert [(each.text, each.line) for each in top.all("b")] == [("one & two", 2), ("three", 3)]
    assert [each.line for each in top.all("b", "c")] == [2]
    assert (top.text_of("b"), top.text_of("b", "d")) == ("one & two", "")


@pytest.mark.parametrize(
    "declared",
    [
        f'<!ENTITY a0 "lol">\n{BILLION}',
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x SYSTEM "http://127.0.0.1:9/x">',
        '<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;',
        '<!NOTATION n SYSTEM "n"><!ENTITY x SYSTEM "a.gif" NDATA n>',
    ],
)
def test_entities_are_refused_where_they_are_declared(tmp_path, declared):
    path = write(tmp_path, f"<?xml version='1.0'?>\n<!DOCTYPE a [{declared}]>\n<a>&a9;</a>")
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}:2: declares an entity, which can grow"):
        read_xml(path)


def test_a_definition_elsewhere_is_not_fetched(tmp_path):
    """An entity that it may declare is not known, and nothing takes its place."""
    path = write(tmp_path, '<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<a>x&y;</a>')
    assert read_xml(path).text == "x"


def test_what_is_no_xml_names_its_line(tmp_path):
    with pytest.raises(DataError, match=r"a.xml:2: not valid XML: mismatched tag"):
        read_xml(write(tmp_path, "<a>\n<b></a>"))
    with pytest.raises(DataError, match=r"a.xml:1: not valid XML: no element found"):
        read_xml(write(tmp_path, ""))


def test_depth_has_an_end(tmp_path):
    assert read_xml(write(tmp_path, "<a>" * MOST_DEPTH + "</a>" * MOST_DEPTH)).tag == "a"
    with pytest.raises(DataError, match=rf"a.xml:1: elements lie more than {MOST_DEPTH} deep"):
        read_xml(write(tmp_path, "<a>" * 100_000))
