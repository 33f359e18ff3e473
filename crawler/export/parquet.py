"""Parquet: typed columns in row groups, compressed with zstd. Importing this needs pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
from msgspec import Raw, Struct, inspect, structs
from pyarrow.parquet import ParquetWriter

from crawler.errors import RunError
from crawler.export.columns import (
    HINTS,
    TIMES,
    grouped,
    is_part,
    json_text,
    kind_of,
    names_or_all,
    reader,
    without_none,
)
from crawler.export.csv_text import cell

MAX_GROUP_ROWS = 50_000
MAX_GROUP_BYTES = 64 * 1024 * 1024  # A row group takes this many bytes of memory at most before it is encoded.
_BATCH_ROWS = 1_000
_BATCH_BYTES = 1024 * 1024  # A batch holds this many bytes of lines, which take several times this as Python objects.

# What the positions of a list in a record are called; where they have no names, the list is JSON.
PARTS: dict[str, tuple[str, ...]] = {
    "headings": ("level", "text"),
    "images": ("url", "alt"),
    "link_details": ("url", "text", "rel", "is_internal"),
}

_SCALARS: dict[type[inspect.Type], pa.DataType] = {
    inspect.StrType: pa.string(),
    inspect.LiteralType: pa.string(),
    inspect.IntType: pa.int64(),
    inspect.FloatType: pa.float64(),
    inspect.BoolType: pa.bool_(),
}


class Column(Struct, frozen=True):
    """A column of the file.

    Args:
        name: The field.
        type: In Arrow.
        hint: What the field is read as; `Raw` where it becomes JSON.
        plain: Makes of what was read what Arrow takes; None where that is the same.
    """

    name: str
    type: pa.DataType
    hint: Any
    plain: Callable[[Any], object] | None = None

    def array(self, values: Sequence[Any]) -> pa.Array:
        """The values as an array.

        Raises:
            RunError: If the type cannot hold one of them.
        """
        if self.plain is not None:
            values = [None if value is None else self.plain(value) for value in values]
        try:
            if self.name in TIMES:
                return pa.array(values, pa.string()).cast(self.type)
            return pa.array(values, self.type)
        except (pa.ArrowInvalid, OverflowError) as error:
            raise RunError(f"the field {self.name} holds what is no {self.type}: {error}") from None


def column_of(name: str) -> Column:
    """The column of a field, as the field's type makes it."""
    if is_part(name):  # it may be anything, so it is text: as it is, or JSON
        return Column(name, pa.string(), Any, cell)
    hint = HINTS[name]
    kind = kind_of(name)
    if name in TIMES:
        return Column(name, pa.timestamp("ms", "UTC"), hint)
    if type(kind) in _SCALARS:
        return Column(name, _SCALARS[type(kind)], hint)
    if isinstance(kind, inspect.ListType):
        item = kind.item_type
        if type(item) in _SCALARS:
            return Column(name, pa.list_(_SCALARS[type(item)]), hint)
        if isinstance(item, inspect.TupleType) and name in PARTS:
            parts = PARTS[name]
            shape = _struct(zip(parts, item.item_types, strict=True))
            if shape is not None:
                return Column(
                    name, pa.list_(shape), hint, lambda rows: [dict(zip(parts, row, strict=True)) for row in rows]
                )
    if isinstance(kind, inspect.StructType):
        shape = _struct((field.name, field.type) for field in kind.fields)
        if shape is not None:
            return Column(name, shape, hint, structs.asdict)
    return Column(name, pa.string(), Raw, json_text)


def _struct(parts: Iterable[tuple[str, inspect.Type]]) -> pa.StructType | None:
    """A type of named parts; None if one of them has parts itself."""
    fields = [(name, _SCALARS.get(type(without_none(kind)))) for name, kind in parts]
    return None if any(each is None for _, each in fields) else pa.struct(fields)


def write(lines: Iterator[bytes], names: Sequence[str] | None, file: BinaryIO) -> int:
    """Write records; times, numbers, lists and parts are typed, what has no fixed shape is JSON text.

    Args:
        lines: The records.
        names: Fields in the order of the columns; None for all.
        file: Where to.

    Returns:
        How many records were written.

    Raises:
        RunError: If a line is no record, or holds what its column cannot.
        OSError: If the disk is full or failing.

    Source: Apache Parquet format 2.6.
    """
    columns = [column_of(name) for name in names_or_all(names)]
    schema = pa.schema([(column.name, column.type) for column in columns])
    read = reader({column.name: column.hint for column in columns}, is_whole=names is None)
    count = 0
    with ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(lines, read, columns, schema):
            writer.write_table(group, row_group_size=group.num_rows)
            count += group.num_rows
    return count


def _groups(
    lines: Iterator[bytes], read: Callable[[bytes], Any], columns: Sequence[Column], schema: pa.Schema
) -> Iterator[pa.Table]:
    """Records in tables, each of which is a row group."""
    group: list[pa.RecordBatch] = []
    rows = weight = 0
    for part in grouped(lines, _BATCH_ROWS, _BATCH_BYTES):
        by_field = zip(*(structs.astuple(read(line)) for line in part), strict=True)
        arrays = [column.array(values) for column, values in zip(columns, by_field, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        group.append(batch)
        rows += batch.num_rows
        weight += batch.nbytes
        if rows >= MAX_GROUP_ROWS or weight >= MAX_GROUP_BYTES:
            yield pa.Table.from_batches(group, schema)
            group, rows, weight = [], 0, 0
    if group:
        yield pa.Table.from_batches(group, schema)
