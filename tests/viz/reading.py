"""A page read as a browser does: every element closed, and no address that leaves the machine."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "poster", "data", "action", "srcset", "xlink:href"):
                self.addresses.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)


def read_page(text):
    """The reader, when it has read the whole page, and found nothing left open and no address but of its own data."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert all(address.startswith("data:") for address in reader.addresses)
    plain = re.sub(r"data:[\w/]+;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"(https?:)?//\w|url\(|@import|import\(|fetch\(|XMLHttpRequest|<link|<iframe", plain)
    return reader
