"""The profile made inside Postgres equals the one made in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from mlops.core.profiler import Profiler, reference_edges
from mlops.core.profiles import Profile
from mlops.digests import canonical_json
from mlops.errors import DataRefused, QueryError
from mlops.warehouse.postgres import pushdown_sql
from mlops.warehouse.postgres.copy import copying
from mlops.warehouse.postgres.pushdown import profile_rows
from mlops.warehouse.postgres.stream import stream
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.profiles import window_profile

# Few different values, so that many lie on an edge.
FLOATS = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 1.0, -1.0, 0.1, 2.5, 1e-310, 5e-324, 1e100, -1e100, 1e200, math.inf, -math.inf]
    ),
    st.floats(allow_nan=False),
)
VALUES = st.one_of(st.none(), st.just(math.nan), FLOATS)
INTEGERS = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
EDGES = st.lists(FLOATS, max_size=12).map(lambda found: tuple(sorted({x + 0.0 for x in found})))
WORDS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "'", "\\", "é", ":x", "%s", "a "]))
KNOWN = st.lists(st.sampled_from(["", "a", "b", "'", "\\", "é", ":x", "%s", "z"]), unique=True)


@pytest.fixture(scope="module")
def points_url(module_database: str) -> str:
    with psycopg.connect(module_database) as connection:
        connection.execute(
            "CREATE TABLE points (x float8, s real, n bigint, b boolean, t text, v varchar)"
        )
    return module_database


@pytest.fixture(scope="module")
def points(points_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(points_url, autocommit=True) as connection:
        yield connection


def fill(connection: psycopg.Connection, rows: list[tuple]) -> None:
    connection.execute("TRUNCATE points")
    with connection.cursor().copy("COPY points FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["float8", "float4", "int8", "bool", "text", "varchar"])
        for row in rows:
            copy.write_row(row)


def write_records(connection: psycopg.Connection, records: np.ndarray) -> None:
    names = records.dtype.names or ()
    with copying(connection, sql.Identifier("points"), names) as copy:
        copy.write(records)


def in_memory(url: str, query: str, edges: dict, categories: dict) -> Profile:
    profiler = Profiler(edges=edges, categories=categories)
    with stream(url, query, batch_rows=3) as batches:
        for batch in batches:
            profiler.update(batch)
    return profiler.result()


def assert_equal_sums(ours: Profile, theirs: Profile, edges: dict) -> None:
    """Sums agree to the digits that are kept, measured against the values' own size."""
    for name in edges:
        a, b = ours.numeric[name], theirs.numeric[name]
        assert (a.offset_sum is None) == (b.offset_sum is None), name
        if a.offset_sum is None or not a.values:
            continue
        farthest = max(abs(a.min), abs(a.max), abs(a.centre))
        assert a.offset_sum == pytest.approx(b.offset_sum, rel=1e-6, abs=1e-9 * a.values * farthest)
        assert a.offset_squares == pytest.approx(
            b.offset_squares, rel=1e-6, abs=1e-9 * a.values * farthest * farthest
        )


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            VALUES, st.one_of(st.none(), st.floats(width=32)), INTEGERS,
            st.one_of(st.none(), st.booleans()), WORDS, WORDS,
        ),
        max_size=20,
    ),
    edges=EDGES,
    known=KNOWN,
)  # fmt: skip
@example(rows=[(math.nan, math.nan, None, None, None, None)], edges=(0.0,), known=[])
@example(
    rows=[(1e200, 1.0, 2**63 - 1, True, "a", "b"), (math.nan, -1.0, -(2**63), False, "z", None)],
    edges=(-1.0, 0.5, 2.0**63),
    known=["a"],
)
@example(rows=[(0.5, 0.5, 1, True, None, None)], edges=(-1.0, 0.0, 0.1, 1.0), known=[])
def test_equals_the_profile_in_memory(points_url, points, rows, edges, known):
    fill(points, rows)
    by_name = dict.fromkeys(("x", "s", "n", "b"), edges)
    categories = {"t": tuple(known), "v": tuple(known)}
    query = "SELECT * FROM points"
    pushed = profile_rows(points_url, query, edges=by_name, categories=categories)
    counted = in_memory(points_url, query, by_name, categories)
    assert pushed == counted
    assert_equal_sums(pushed, counted, by_name)


@pytest.mark.parametrize("edges", [0, 1, 2, 3, 4, 5, 10, 11, 512])
def test_any_number_of_edges(points_url, points, edges):
    fill(points, [(float(i % 600), None, i, None, None, None) for i in range(2_000)])
    by_name = dict.fromkeys(("x", "n"), tuple(float(i) for i in range(edges)))
    pushed = profile_rows(points_url, "SELECT * FROM points", edges=by_name, categories={})
    assert pushed == in_memory(points_url, "SELECT * FROM points", by_name, {})
    assert len(pushed.numeric["x"].bin_counts) == edges + 1
    assert sum(pushed.numeric["x"].bin_counts) == 2_000


def test_categories_of_booleans_and_integers_are_their_text(points_url, points):
    fill(points, [(None, None, i % 4, i % 3 == 0, None, None) for i in range(24)])
    categories = {"b": ("false", "true", "maybe"), "n": ("0", "1", "01", "one", "3", "-0", " 2")}
    pushed = profile_rows(points_url, "SELECT * FROM points", edges={}, categories=categories)
    assert pushed == in_memory(points_url, "SELECT * FROM points", {}, categories)
    assert pushed.categories["b"].counts == {"false": 16, "true": 8, "maybe": 0}
    assert pushed.categories["n"].counts == {
        "0": 6,
        "1": 6,
        "01": 0,
        "one": 0,
        "3": 6,
        "-0": 0,
        " 2": 0,
    }
    assert pushed.categories["n"].other == 6


def test_many_categories_are_counted_by_grouping(points_url, points):
    words = [f"c{i % 60}" if i % 7 else None for i in range(1_000)]
    fill(points, [(None, None, i % 90, None, w, w) for i, w in enumerate(words)])
    many = tuple(f"c{i}" for i in range(50))
    categories = {"t": many, "v": many, "n": tuple(str(i) for i in range(30)), "b": ("true",)}
    assert len(many) > pushdown_sql.FEW_CATEGORIES
    pushed = profile_rows(points_url, "SELECT * FROM points", edges={}, categories=categories)
    assert pushed == in_memory(points_url, "SELECT * FROM points", {}, categories)
    assert pushed.categories["t"].other == sum(word not in (None, *many) for word in words)


def test_an_enum_and_a_numeric_column(points_url, points):
    points.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
    query = "SELECT 'low'::mood AS m, 2.5::numeric AS d FROM generate_series(1, 3)"
    found = profile_rows(
        points_url, query, edges={"d": (2.0, 2.5)}, categories={"m": ("high", "sad")}
    )
    assert found.categories["m"].counts == {"high": 0, "sad": 0}
    assert found.categories["m"].other == 3
    assert found.numeric["d"].bin_counts == (0, 0, 3)
    assert found.numeric["d"].mean == 2.5


def test_a_window_is_profiled_on_the_edges_of_its_reference(points_url, points):
    rng = np.random.default_rng(3)
    records = np.zeros(5_000, dtype=[("x", "f8"), ("n", "i8"), ("t", "S2")])
    records["x"] = rng.normal(size=5_000)
    records["n"] = np.arange(5_000)
    records["t"] = rng.choice(np.array([b"a", b"b", b"c"]), 5_000)
    points.execute("TRUNCATE points")
    write_records(points, records)
    edges = {"x": reference_edges(records["x"])}
    categories = {"t": ("a", "b")}
    reference = profile_rows(
        points_url, "SELECT * FROM points WHERE n < 1000", edges=edges, categories=categories
    )
    whole = window_profile(
        PostgresWarehouse(points_url), "SELECT * FROM points -- all\n;", reference
    )
    assert whole == in_memory(points_url, "SELECT * FROM points", edges, categories)
    assert whole.rows == 5_000
    assert whole.numeric["x"].mean == pytest.approx(records["x"].mean(), abs=1e-6)
    assert whole.numeric["x"].std == pytest.approx(records["x"].std(), rel=1e-6)
    assert (
        window_profile(
            PostgresWarehouse(points_url), "SELECT x FROM points", reference, columns=["x"]
        ).categories
        == {}
    )


def test_parallel_workers_and_one_process_find_the_same(points_url, points):
    points.execute("TRUNCATE points")
    points.execute(
        "INSERT INTO points SELECT 1e6 + random() * i, i, i, true, 'a', 'b' "
        "FROM generate_series(1, 500000) i"
    )
    points.execute("ANALYZE points")
    edges = {"x": tuple(1e6 + 50_000.0 * i for i in range(11)), "s": (1.0, 5e4)}
    plan = points.execute("EXPLAIN SELECT count(*) FROM points").fetchall()
    assert "Parallel" in str(plan)
    texts = {
        canonical_json(
            profile_rows(
                points_url, "SELECT * FROM points", edges=edges, categories={}, workers=n
            ).to_json()
        )
        for n in (0, 2, 2, 1)
    }
    assert len(texts) == 1


@pytest.mark.parametrize("step", [1e-9, 1e-3, 0.0])
def test_sums_of_values_that_hardly_differ_keep_their_digits(points_url, points, step):
    """The database adds about zero here, and once more about the centre where that cancels."""
    values = [0.7 + step * number for number in range(-20, 60)]
    fill(points, [(value, value, None, None, None, None) for value in values])
    edges = {"x": (-1.0, 0.7, 1.0)}
    found = profile_rows(points_url, "SELECT x FROM points", edges=edges, categories={})
    expected = in_memory(points_url, "SELECT x FROM points", edges, {})
    assert found.agrees_with(expected)
    if step:
        assert found.numeric["x"].std == pytest.approx(expected.numeric["x"].std, rel=1e-6)
        assert found.numeric["x"].offset_squares == pytest.approx(
            sum((value - 0.7) ** 2 for value in values), rel=1e-6
        )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    whole=st.lists(st.integers(-2_000, 2_000), min_size=20, max_size=50),
    tenths=st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=50),
    times=st.integers(1, 4),
    random=st.randoms(),
)
def test_the_order_of_rows_does_not_show_in_sums(points_url, points, whole, tenths, times, random):
    """Whole numbers of every type are added exactly; of others the last digit may differ."""
    size = max(len(whole), len(tenths))
    rows = [
        (tenths[i % len(tenths)] / 10, float(whole[i % len(whole)]), whole[i % len(whole)])
        for i in range(size * times)
    ]
    edges = {
        "x": reference_edges(np.array([x for x, _, _ in rows])),
        "s": (-2e3, 7.0, 2e3),
        "n": (-2e3, 7.0, 2e3),
    }
    found = []
    for _ in range(2):
        random.shuffle(rows)
        fill(points, [(x, s, n, None, None, None) for x, s, n in rows])
        found.append(profile_rows(points_url, "SELECT * FROM points", edges=edges, categories={}))
    first, second = found
    assert first.agrees_with(second)
    counted = in_memory(points_url, "SELECT * FROM points", edges, {})
    for name in ("s", "n"):
        written = {str(one.numeric[name].to_json()) for one in (first, second, counted)}
        assert len(written) == 1, name


def test_a_column_of_another_kind_is_refused(points_url):
    query = "SELECT 'a' AS x, 1.5::float8 AS t, now() AS w"
    with pytest.raises(DataRefused, match=r"x cannot be profiled.*found text"):
        profile_rows(points_url, query, edges={"x": (1.0,)}, categories={})
    with pytest.raises(DataRefused, match=r"t cannot be profiled.*found double precision"):
        profile_rows(points_url, query, edges={}, categories={"t": ("a",)})
    with pytest.raises(DataRefused, match="w cannot be profiled"):
        profile_rows(points_url, query, edges={}, categories={"w": ("a",)})


def test_a_missing_column_and_broken_sql_are_named(points_url):
    with pytest.raises(QueryError, match="does not return nope"):
        profile_rows(points_url, "SELECT 1 AS x", edges={"nope": ()}, categories={})
    with pytest.raises(QueryError, match='column "nope" does not exist'):
        profile_rows(points_url, "SELECT nope", edges={}, categories={})
    with pytest.raises(QueryError, match="out of range"):
        profile_rows(points_url, "SELECT 1e200::float8 ^ i AS x FROM generate_series(1, 2) i",
                     edges={"x": (1.0,)}, categories={})  # fmt: skip


def test_too_many_rows_for_one_pass_are_refused(points_url, points, monkeypatch):
    fill(points, [(1.0, None, 1, None, None, None)] * 5)
    monkeypatch.setattr("mlops.warehouse.postgres.pushdown.MOST_ROWS", 4)
    with pytest.raises(QueryError, match="more rows than are profiled at once; found 5"):
        profile_rows(points_url, "SELECT * FROM points", edges={"x": (1.0,)}, categories={})


def test_nothing_is_written_by_profiling(points_url, points):
    points.execute("CREATE SEQUENCE written")
    with pytest.raises(QueryError, match="read-only"):
        profile_rows(
            points_url, "SELECT nextval('written') AS x", edges={"x": (1.0,)}, categories={}
        )


def test_more_columns_than_one_select_can_return(points_url, points):
    names = [f"x{i}" for i in range(400)]
    listed = ", ".join(f"n * {i} + 0.5 AS {name}" for i, name in enumerate(names))
    query = f"SELECT {listed} FROM generate_series(1, 5) AS n"
    edges = dict.fromkeys(names, (1.0, 100.0))
    found = profile_rows(points_url, query.replace("0.5 AS", "0.5::float8 AS"), edges=edges,
                         categories={})  # fmt: skip
    assert found.rows == 5
    assert list(found.numeric) == names
    assert [found.numeric["x399"].min, found.numeric["x399"].max] == [399.5, 1995.5]
    assert [sum(profile.bin_counts) for profile in found.numeric.values()] == [5] * 400
