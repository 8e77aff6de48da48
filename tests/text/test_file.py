"""Text told from what is none, and read."""

import json

import pytest

from vidtok.errors import DataError
from vidtok.text.file import is_binary, open_text, read_json, read_text


def write(folder, content):
    (folder / "a.csv").write_bytes(content)
    return folder / "a.csv"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_mark_and_line_ends_go(tmp_path, end):
    path = write(tmp_path, f"\ufeffa{end}\u00e9{end}".encode())
    assert read_text(path) == "a\n\u00e9\n"
    assert not is_binary(path)


def test_bytes_that_are_not_utf8(tmp_path):
    path = write(tmp_path, b"a.mp4 0\n\xe9.mp4 1\n")
    with open_text(path) as file:
        assert file.read() == "a.mp4 0\n\udce9.mp4 1\n"
    with pytest.raises(DataError, match=r"a.csv: not a text in UTF-8 \(line 2 has '.udce9'\); save it as UTF-8"):
        read_text(path)


def test_what_is_no_text(tmp_path):
    path = write(tmp_path, b"PK\x03\x04\0\0 \xff")
    assert is_binary(path)
    with pytest.raises(DataError, match=r"a.csv: no text, and so no class file"):
        read_text(path, what="class file")
    for encoding in ("utf-16", "utf-16-le"):
        text = "a.mp4 0\n".encode(encoding)
        path = write(tmp_path, text if encoding == "utf-16" else b"\xff\xfe" + text)
        assert not is_binary(path)
        with pytest.raises(DataError, match=r"a.csv: a text in UTF-16; save it as UTF-8"):
            open_text(path)


def test_json(tmp_path):
    assert read_json(write(tmp_path, json.dumps({"a": [1]}).encode())) == {"a": [1]}
    with pytest.raises(DataError, match=r"a.csv: not valid JSON: .*line 1"):
        read_json(write(tmp_path, b'{"a": 1,'))
