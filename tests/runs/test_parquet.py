"""Parquet files: what is written comes back, whole or not at all; without pyarrow it is said what helps."""

import sys

import pytest

from vidtok.errors import ConfigError
from vidtok.runs.parquet import check_parquet, read_parquet, write_parquet

COLUMNS = [("name", "string"), ("score", "float32"), ("name", "list float64")]


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"a\.parquet: Parquet files need pyarrow: pip install 'vidtok\[parquet\]'"):
        check_parquet("a.parquet")


def test_rows_come_back(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pip install 'vidtok[parquet]'")
    monkeypatch.setattr("vidtok.runs.parquet.ROWS", 2)
    rows = [["a", 0.5, [1.0, 2.0]], ["ü", 0.25, []], ["c", 1.0, [3.0]]]
    write_parquet(tmp_path / "a.parquet", COLUMNS, rows)
    names, found = read_parquet(tmp_path / "a.parquet")
    assert (names, list(found)) == (["name", "score", "name"], rows)
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
    assert "pyarrow" in sys.modules


def test_a_file_that_is_none_and_rows_that_fail(tmp_path):
    pytest.importorskip("pyarrow", reason="pip install 'vidtok[parquet]'")
    (tmp_path / "a.parquet").write_text("video,score\n")
    with pytest.raises(ConfigError, match="not a Parquet file"):
        read_parquet(tmp_path / "a.parquet")
    with pytest.raises(ZeroDivisionError):
        write_parquet(tmp_path / "b.parquet", COLUMNS, ([str(1 / n), 0.0, []] for n in (1, 0)))
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
