"""Parquet files, where pyarrow is installed: the extra `parquet`."""

import importlib
import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vidtok.errors import ConfigError

ROWS = 4096
"""Written together."""


def check_parquet(path: str | Path) -> None:
    """Raise ConfigError, which says how to mend it, where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(f"{path}: Parquet files need pyarrow: pip install 'vidtok[parquet]', or take another ending")


def write_parquet(
    path: Path, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], *, told: str = ""
) -> None:
    """Rows as a file, whole or not at all. `columns`: the name of each and its type, see `type_of`.

    `told` stands in the metadata, under "vidtok".
    """
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    schema = arrow.schema([(name, type_of(arrow, kind)) for name, kind in columns], metadata={"vidtok": told})
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    left = iter(rows)
    try:
        with parquet.ParquetWriter(aside, schema) as writer:
            while some := list(islice(left, ROWS)):
                arrays = [
                    arrow.array(own, field.type) for own, field in zip(zip(*some, strict=True), schema, strict=True)
                ]
                writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def type_of(arrow: Any, kind: str) -> Any:
    """pyarrow's type of the name `float32`, `float64` or `string`, or of a list of such: `list float32`."""
    *outer, inner = kind.split()
    made = getattr(arrow, inner)()
    for _ in outer:
        made = arrow.list_(made)
    return made


def told_in_parquet(path: Path) -> str:
    """What `write_parquet` was told."""
    metadata = importlib.import_module("pyarrow.parquet").read_schema(path).metadata or {}
    return metadata.get(b"vidtok", b"").decode()


def read_parquet(path: Path) -> tuple[list[str], Iterator[list[Any]]]:
    """The names of the columns, and the rows as they are read. ConfigError for what is no Parquet file."""
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except (OSError, arrow.ArrowException) as error:
        raise ConfigError(f"{path}: not a Parquet file; name another file, or remove it") from error

    def rows() -> Iterator[list[Any]]:
        with file:
            for batch in file.iter_batches(batch_size=ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                yield from map(list, zip(*columns, strict=True))

    return list(file.schema_arrow.names), rows()
