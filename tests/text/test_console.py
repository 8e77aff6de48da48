"""Names that a console cannot show."""

import io
import sys

from vidtok.text.console import printable, say, widen_streams


def test_printable():
    assert printable("a \udce9 é.mp4") == "a \\udce9 é.mp4"
    assert printable("é …", encoding="ascii") == "\\xe9 \\u2026"


def test_a_narrow_stream(monkeypatch):
    for encoding, shown in (("ascii", b"\\udce9 \\u2026\n"), ("utf-8", "\\udce9 …\n".encode())):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
        monkeypatch.setattr(sys, "stdout", stream)
        say("\udce9 …")
        widen_streams()
        print("\udce9 …", flush=True)
        assert stream.buffer.getvalue() == shown * 2
