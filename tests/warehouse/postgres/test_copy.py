"""Records reach Postgres as they are, or not at all."""

from __future__ import annotations

import math
from uuid import UUID

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from mlops.errors import QueryError
from mlops.warehouse.postgres import copy as copy_module
from mlops.warehouse.postgres.copy import copying, fixed_text

TABLE = sql.Identifier("kept", "The Rows")


@pytest.fixture(scope="module")
def shared(module_database):
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute("CREATE SCHEMA kept")
        connection.execute(
            'CREATE TABLE kept."The Rows" (i2 smallint, i4 integer, i8 bigint, f4 real, f8 float8, '
            "b boolean, t timestamptz, d date, s text, v varchar(10), u uuid, n numeric)"
        )
        yield connection


@pytest.fixture
def kept_rows(shared):
    shared.execute('TRUNCATE kept."The Rows"')
    return shared


def records(**columns) -> np.ndarray:
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    found = np.zeros(len(next(iter(arrays.values()))), [(n, a.dtype) for n, a in arrays.items()])
    for name, array in arrays.items():
        found[name] = array
    return found


def copy_records(connection, table, written) -> int:
    with copying(connection, table, written.dtype.names) as copy:
        return copy.write(written)


def stored(connection, *columns) -> list[tuple]:
    names = ", ".join(columns)
    return connection.execute(f'SELECT {names} FROM kept."The Rows" ORDER BY ctid').fetchall()


def test_every_type(kept_rows):
    token = UUID("6a2f41a3-c54c-fce8-32d2-0324e1c32e22")
    written = records(
        i2=[-5, 5], i4=[-(2**31), 2**31 - 1], i8=[-(2**63), 2**63 - 1],
        f4=np.array([1.5, np.inf], np.float32), f8=[-0.1, np.nan], b=[True, False],
        t=np.array(["2013-01-01T05:00:00.000001", "NaT"], "M8[us]"),
        d=np.array(["1999-12-31", "NaT"], "M8[D]"), s=["é", ""], v=np.array([b"abc", b"d"]),
        u=np.frombuffer(token.bytes * 2, "V16"),
    )  # fmt: skip
    assert copy_records(kept_rows, TABLE, written) == 2
    columns = ("i2", "i4", "i8", "f4", "f8", "b", "t::text", "d::text", "s", "v", "u")
    assert stored(kept_rows, *columns) == [
        (-5, -(2**31), -(2**63), 1.5, -0.1, True, "2013-01-01 05:00:00.000001+00", "1999-12-31",
         "é", "abc", token),
        (5, 2**31 - 1, 2**63 - 1, float("inf"), None, False, None, None, "", "d", token),
    ]  # fmt: skip


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
            st.datetimes(),
        ),
        max_size=20,
    ),
    st.sampled_from([1, 64, 8 << 20]),
)
def test_any_values_in_blocks_of_any_size(kept_rows, rows, block_bytes):
    kept_rows.execute('TRUNCATE kept."The Rows"')
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    written = records(
        i8=np.array(columns[0], np.int64),
        f8=np.array(columns[1], np.float64),
        s=np.array([text.encode() for text in columns[2]] or [], "S36"),
        t=np.array(columns[3], "M8[us]"),
    )
    before = copy_module._BLOCK_BYTES
    try:
        copy_module._BLOCK_BYTES = block_bytes
        copy_records(kept_rows, TABLE, written)
    finally:
        copy_module._BLOCK_BYTES = before
    found = stored(kept_rows, "i8", "f8", "s", "t AT TIME ZONE 'UTC'")
    expected = [(i, None if math.isnan(x) else x, s, t) for i, x, s, t in rows]
    assert found == expected


def test_integers_are_written_into_columns_of_other_widths(kept_rows):
    copy_records(kept_rows, TABLE, records(i2=np.array([1], np.int64), i8=np.array([2], np.int8)))
    assert stored(kept_rows, "i2", "i8") == [(1, 2)]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (records(i2=[40_000]), "i2 .* cannot hold the values; found int64: values from 40000"),
        (records(i8=[1.5]), "i8 .*int8 is not written from float64"),
        (records(b=[1]), "b .*bool is not written from int64"),
        (records(t=[1]), "t .*times are written from datetime64"),
        (records(s=[1]), "s .*text is written from bytes or str"),
        (records(n=[1]), r"cannot be written; found n \(numeric\)"),
        (records(nope=[1]), r"cannot be written; found nope \(no such column\)"),
        (records(v=[b"longer than ten"]), "too long"),
    ],
)
def test_values_that_do_not_fit_are_refused(kept_rows, written, message):
    with pytest.raises(QueryError, match=message), kept_rows.transaction():
        copy_records(kept_rows, TABLE, written)
    assert stored(kept_rows, "i2") == []


def test_a_table_that_is_not_there(kept_rows):
    with pytest.raises(QueryError, match=r'"kept"."nowhere".*does not exist'):
        copy_records(kept_rows, sql.Identifier("kept", "nowhere"), records(a=[1]))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_text_of_fixed_width(words):
    column = pa.array(["skipped", *words], pa.string()).slice(1)
    expected = [word.encode() for word in words]
    assert fixed_text(column).tolist() == expected
    assert fixed_text(column.cast(pa.large_string())).tolist() == expected
