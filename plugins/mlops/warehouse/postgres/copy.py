"""Write rows to the warehouse: COPY in Postgres' binary format, built from a numpy record array.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". A row is its number
of columns, then for each column the length of its value and the value, all big-endian. A record
array of that very layout is filled column by column and its bytes are sent as they are; only where
values have different lengths (text, NULL) the unused bytes are cut out first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import sql

from mlops.errors import QueryError
from mlops.warehouse.postgres.session import Connection, translated

Array = NDArray[Any]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL_LENGTH = -1

# A block of this size is built, sent and forgotten.
_BLOCK_BYTES = 8 << 20

# Postgres counts time from 2000-01-01, numpy from 1970-01-01.
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000

_WIRE = {
    "int2": ">i2",
    "int4": ">i4",
    "int8": ">i8",
    "float4": ">f4",
    "float8": ">f8",
    "bool": "u1",
    "timestamptz": ">i8",
    "date": ">i4",
    "uuid": "V16",
}
_TEXT = ("text", "varchar")


@dataclass(frozen=True)
class _Field:
    """A column of the table: its name and the internal name of its type."""

    name: str
    kind: str


@dataclass(frozen=True)
class Copy:
    """An open COPY into a table; made by :func:`copying`."""

    _table: str
    _fields: tuple[_Field, ...]
    _copy: psycopg.Copy

    def write(self, records: Array) -> int:
        """Send records.

        :param records: structured array, shape (n,), with a field for each column of the copy.
            Integers fit integer columns; floats, float columns, with NaN as NULL; ``datetime64``
            in UTC, timestamptz and date, with NaT as NULL; ``S`` (UTF-8 bytes) or ``U``, text;
            ``V16``, uuid.
        :returns: ``n``.
        :raises QueryError: for values that the columns cannot hold.
        """
        columns = [self._column(field, records[field.name]) for field in self._fields]
        width = 2 + sum(4 + values.dtype.itemsize for values, _ in columns)
        step = max(1, _BLOCK_BYTES // width)
        for start in range(0, len(records), step):
            part = [(v[start : start + step], n[start : start + step]) for v, n in columns]
            self._copy.write(_block(part))
        return len(records)

    def _column(self, field: _Field, values: Array) -> tuple[Array, Array]:
        try:
            return _on_the_wire(field.kind, values)
        except (TypeError, ValueError, OverflowError) as error:
            raise QueryError(
                f"column {field.name} of {self._table} cannot hold the values",
                found=f"{values.dtype}: {error}",
                expected=field.kind,
            ) from error


@contextmanager
def copying(
    connection: Connection, table: sql.Identifier, columns: Sequence[str]
) -> Iterator[Copy]:
    """One COPY that takes records block by block, within the connection's transaction.

    When the block ends with an error, the COPY is broken off and the transaction has failed.

    :raises QueryError: no such table or column, values that do not fit, a broken constraint.
    :raises WarehouseUnreachable: the connection broke.
    """
    name = table.as_string(connection)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, names)
    with translated(f"rows cannot be written to {name}"):
        fields = _fields(connection, name, columns)
        with connection.cursor() as cursor, cursor.copy(command) as copy:
            copy.write(_HEADER)
            yield Copy(name, fields, copy)
            copy.write(_TRAILER)


def fixed_text(column: pa.Array) -> Array:
    """A text column as UTF-8 bytes of fixed width, filled up with zeros.

    :param column: Arrow strings, shape (n,), none missing.
    :returns: dtype ``S<longest>``, shape (n,).
    """
    _, offsets, data = column.cast(pa.string()).buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(ends)
    width = max(int(lengths.max(initial=0)), 1)
    text = np.zeros((len(column), width), dtype=np.uint8)
    if data is not None:
        text[np.arange(width) < lengths[:, None]] = np.frombuffer(data, np.uint8)[
            ends[0] : ends[-1]
        ]
    return text.view(f"S{width}").ravel()


def _fields(connection: Connection, table: str, columns: Sequence[str]) -> tuple[_Field, ...]:
    """The types of the columns; binary COPY converts nothing."""
    found = connection.execute(
        "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
        [table],
    ).fetchall()
    types: dict[str, str] = dict(found)
    known = {*_WIRE, *_TEXT}
    wrong = [f"{name} ({types.get(name, 'no such column')})" for name in columns
             if types.get(name) not in known]  # fmt: skip
    if wrong:
        raise QueryError(
            f"columns of {table} cannot be written",
            found=", ".join(wrong),
            expected=f"columns of type {', '.join(sorted(known))}",
        )
    return tuple(_Field(name, types[name]) for name in columns)


def _on_the_wire(kind: str, values: Array) -> tuple[Array, Array]:
    """Values in Postgres' layout, and the length of each: -1 for NULL."""
    if kind in _TEXT:
        text = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
        if text.dtype.kind != "S":
            raise TypeError("text is written from bytes or str")
        return text, np.strings.str_len(text).astype(np.int32)
    missing = np.zeros(len(values), dtype=bool)
    if kind in ("timestamptz", "date"):
        values, missing = _since_2000(kind, values)
    elif kind in ("float4", "float8"):
        values = values.astype(np.float64, copy=False)
        missing = np.isnan(values)
    else:
        _require_kind(kind, values)
    wire = np.dtype(_WIRE[kind])
    return values.astype(wire), np.where(missing, _NULL_LENGTH, wire.itemsize).astype(np.int32)


def _since_2000(kind: str, values: Array) -> tuple[Array, Array]:
    if values.dtype.kind != "M":
        raise TypeError("times are written from datetime64")
    unit, epoch = ("D", _EPOCH_DAYS) if kind == "date" else ("us", _EPOCH_MICROSECONDS)
    return values.astype(f"datetime64[{unit}]").astype(np.int64) - epoch, np.isnat(values)


def _require_kind(kind: str, values: Array) -> None:
    """No conversion that would lose something."""
    expected = {"bool": "b", "uuid": "V"}.get(kind, "iu")
    if values.dtype.kind not in expected:
        raise TypeError(f"{kind} is not written from {values.dtype}")
    if expected == "iu" and values.size:
        limits = np.iinfo(np.dtype(_WIRE[kind]))
        if int(values.min()) < limits.min or int(values.max()) > limits.max:
            raise OverflowError(f"values from {values.min()} to {values.max()}")


def _block(columns: Sequence[tuple[Array, Array]]) -> bytes:
    """Some rows as COPY wants them."""
    layout: list[tuple[str, Any]] = [("columns", ">i2")]
    for i, (values, _) in enumerate(columns):
        layout += [(f"length{i}", ">i4"), (f"value{i}", values.dtype)]
    rows = np.zeros(len(columns[0][0]), dtype=layout)
    rows["columns"] = len(columns)
    uneven = []
    for i, (values, lengths) in enumerate(columns):
        rows[f"length{i}"], rows[f"value{i}"] = lengths, values
        if (lengths != values.dtype.itemsize).any():
            uneven.append((f"value{i}", lengths))
    return _cut(rows, uneven) if uneven else rows.tobytes()


def _cut(rows: Array, uneven: Sequence[tuple[str, Array]]) -> bytes:
    """The rows' bytes without those behind the end of a value."""
    assert rows.dtype.fields is not None  # noqa: S101 (a structured array has fields)
    kept = np.ones((len(rows), rows.dtype.itemsize), dtype=bool)
    for name, lengths in uneven:
        dtype, start = rows.dtype.fields[name][:2]
        kept[:, start : start + dtype.itemsize] = np.arange(dtype.itemsize) < lengths[:, None]
    return rows.view(np.uint8).reshape(kept.shape)[kept].tobytes()
