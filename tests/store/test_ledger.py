"""The chain holds under many writers, and shows whatever is done to it afterwards."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from mlops.digests import canonical_json, digest_json
from mlops.store import fact_digests, ledger
from mlops.store.connect import Store
from mlops.store.ledger import GENESIS, Break, Entry
from mlops.store.migrate import upgrade
from mlops.store.tables import (
    Base,
    BatchRow,
    CaseRow,
    DecisionRow,
    MeasurementRow,
    SpecRow,
)

PROJECT = Path(__file__).parents[2]
Statement = tuple[str, dict[str, Any]]

LENGTH = 12
AT = datetime(2026, 3, 14, 1, 59, 26, 535897, tzinfo=UTC)
WITHOUT_TRIGGER = text("ALTER TABLE mlops.ledger DISABLE TRIGGER append_only")
ADD = text(
    "INSERT INTO mlops.ledger (seq, at, actor, action, subject, payload, prev_digest, digest)"
    " VALUES (:seq, :at, :actor, :action, :subject, :payload, :prev_digest, :digest)"
)


def chain(length: int, payload: Callable[[int], Any] = lambda seq: {"n": seq}) -> list[Entry]:
    """Entries 1 to ``length`` of a sound ledger."""
    entries: list[Entry] = []
    for seq in range(1, length + 1):
        draft = Entry(
            seq=seq,
            at=AT + timedelta(seconds=seq),
            actor=f"task:churn_release.step_{seq % 3}",
            action="thing.happened",
            subject=f"churn/v{seq}",
            payload=canonical_json(payload(seq)),
            prev_digest=entries[-1].digest if entries else GENESIS,
            digest="",
        )
        entries.append(replace(draft, digest=draft.recompute()))
    return entries


@pytest.fixture(scope="module")
def sound(module_database: str) -> Iterator[Connection]:
    """A superuser's connection to a ledger of ``LENGTH`` entries; what a test does is undone."""
    upgrade(module_database)
    engine = Store(module_database).engine
    with engine.begin() as connection:
        connection.execute(ADD, [asdict(entry) for entry in chain(LENGTH)])
    with engine.connect() as connection:
        yield connection


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    """The ledger as it stands, without times that Python cannot hold."""
    found = connection.execute(
        text(
            "SELECT seq, at::text, actor, action, subject, payload, prev_digest, digest"
            " FROM mlops.ledger ORDER BY seq"
        )
    )
    return [tuple(row) for row in found]


def after(connection: Connection, *statements: Statement) -> tuple[Break | None, int]:
    """What ``verify`` finds after a superuser ran ``statements``, which are then undone.

    :return: also the number of the first entry that is another than stood in its place before.
    """
    before = rows(connection)
    connection.execute(WITHOUT_TRIGGER)
    for statement, values in statements:
        connection.execute(text(statement), values)
    now = rows(connection)
    found = ledger.verify(connection)[1]
    connection.rollback()
    pairs = zip(now, before, strict=False)
    return found, next((new[0] for new, old in pairs if new != old), 0)


def change(seq: int, column: str, value: object) -> Statement:
    """Another value in one column of one entry."""
    return f"UPDATE mlops.ledger SET {column} = :value WHERE seq = :seq", {
        "seq": seq,
        "value": value,
    }


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
places = st.integers(1, LENGTH)


def test_a_sound_chain_holds(sound: Connection) -> None:
    assert ledger.verify(sound) == (LENGTH, None)
    assert ledger.head(sound) == (LENGTH, chain(LENGTH)[-1].digest)


def test_an_empty_ledger_holds(database: str) -> None:
    upgrade(database)
    with Store(database).engine.connect() as connection:
        assert ledger.verify(connection) == (0, None)
        assert ledger.head(connection) == (0, GENESIS)


@settings(max_examples=40, deadline=None)
@given(
    seq=places,
    column=st.sampled_from(["actor", "action", "subject", "payload", "prev_digest", "digest"]),
    value=texts,
)
@example(seq=1, column="prev_digest", value="1" * 64)
@example(seq=LENGTH, column="payload", value='{"n": 12}')
@example(seq=LENGTH, column="digest", value=chain(1)[0].digest)
def test_an_edited_text_is_found(sound: Connection, seq: int, column: str, value: str) -> None:
    broken, first = after(sound, change(seq, column, value))
    assert broken is not None
    assert broken.seq == first == seq


@settings(max_examples=15, deadline=None)
@given(seq=places, microseconds=st.integers(-(10**15), 10**15).filter(bool))
@example(seq=3, microseconds=1)
def test_an_edited_time_is_found(sound: Connection, seq: int, microseconds: int) -> None:
    moment = AT + timedelta(seconds=seq, microseconds=microseconds)
    broken, first = after(sound, change(seq, "at", moment))
    assert broken is not None
    assert broken.seq == first == seq


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "0044-03-15 BC", "12026-01-01"])
def test_a_time_that_python_cannot_hold_is_found(sound: Connection, moment: str) -> None:
    broken, _ = after(sound, (f"UPDATE mlops.ledger SET at = '{moment}' WHERE seq = 7", {}))
    assert broken is not None
    assert broken.seq == 7
    assert broken.reason.startswith("its content has digest ")


@settings(max_examples=15, deadline=None)
@given(seq=places, number=st.integers(-(2**62), 2**62).filter(lambda n: not 1 <= n <= LENGTH))
def test_a_renumbered_entry_is_found(sound: Connection, seq: int, number: int) -> None:
    broken, first = after(sound, change(seq, "seq", number))
    missing = 1 if number < 1 else seq
    assert broken == Break(first, f"entry {missing} is missing; the next one found is {first}")


@pytest.mark.parametrize("seq", range(1, LENGTH))
def test_a_deleted_entry_is_found(sound: Connection, seq: int) -> None:
    broken, _ = after(sound, ("DELETE FROM mlops.ledger WHERE seq = :seq", {"seq": seq}))
    assert broken == Break(seq + 1, f"entry {seq} is missing; the next one found is {seq + 1}")


@settings(max_examples=15, deadline=None)
@given(seq=places, honest=st.booleans())
def test_an_inserted_entry_is_found(sound: Connection, seq: int, honest: bool) -> None:
    """Also one whose own digests are right: those after it then name another one before."""
    entries = chain(LENGTH)
    forged = replace(entries[seq - 1], subject="churn/v0")
    if honest:
        forged = replace(forged, digest=forged.recompute())
    broken, first = after(
        sound,
        ("UPDATE mlops.ledger SET seq = -seq WHERE seq >= :seq", {"seq": seq}),
        ("UPDATE mlops.ledger SET seq = 1 - seq WHERE seq < 0", {}),
        (str(ADD), asdict(forged)),
    )
    assert broken is not None
    assert first == seq
    assert broken.seq == (seq + 1 if honest else seq)


@settings(max_examples=15, deadline=None)
@given(pair=st.lists(places, min_size=2, max_size=2, unique=True))
def test_two_swapped_entries_are_found(sound: Connection, pair: list[int]) -> None:
    one, other = sorted(pair)
    swap = (
        "UPDATE mlops.ledger AS l SET at = o.at, actor = o.actor, action = o.action,"
        " subject = o.subject, payload = o.payload, prev_digest = o.prev_digest,"
        " digest = o.digest FROM mlops.ledger AS o"
        " WHERE l.seq IN (:one, :other) AND o.seq = :one + :other - l.seq"
    )
    broken, first = after(sound, (swap, {"one": one, "other": other}))
    assert broken is not None
    assert broken.seq == first == one


@pytest.mark.parametrize("seq", range(1, LENGTH))
def test_an_edit_with_a_new_digest_breaks_the_entry_after_it(sound: Connection, seq: int) -> None:
    forged = replace(chain(LENGTH)[seq - 1], actor="nobody")
    broken, _ = after(
        sound, change(seq, "actor", "nobody"), change(seq, "digest", forged.recompute())
    )
    assert broken is not None
    assert broken.seq == seq + 1
    assert "as the entry before, whose digest is" in broken.reason


def test_what_only_a_copy_of_the_head_shows(sound: Connection) -> None:
    """Cut off or rewritten at its end, a chain is whole: number and digest of its head differ.

    For that, the head stands in every report and in every lineage event.
    """
    head = ledger.head(sound)
    sound.execute(WITHOUT_TRIGGER)
    sound.execute(text("DELETE FROM mlops.ledger WHERE seq > :seq"), {"seq": LENGTH - 2})
    assert ledger.verify(sound) == (LENGTH - 2, None)
    assert ledger.head(sound) != head
    for entry in chain(LENGTH, payload=lambda seq: {"rewritten": seq})[-2:]:
        draft = replace(entry, prev_digest=ledger.head(sound)[1])
        sound.execute(ADD, asdict(replace(draft, digest=draft.recompute())))
    assert ledger.verify(sound) == (LENGTH, None)
    assert ledger.head(sound)[0] == head[0]
    assert ledger.head(sound)[1] != head[1]
    sound.rollback()


def test_an_appended_entry_says_what_it_was_given(database: str) -> None:
    upgrade(database)
    payload = {"b": [1, 2.5, None, True], "a": "ß", "at": AT}
    before = datetime.now(UTC)
    with Store(database).engine.begin() as connection:
        entry = ledger.append(
            connection, actor="bea", action="version.signed", subject="churn/v3", payload=payload
        )
        other = ledger.append(connection, actor="max", action="a.b", subject="c", payload={})
    with Store(database).engine.connect() as connection:
        assert list(ledger.entries(connection)) == [entry, other]
        assert ledger.head(connection) == (2, other.digest)
    assert (entry.seq, entry.prev_digest) == (1, GENESIS)
    assert (other.seq, other.prev_digest) == (2, entry.digest)
    assert entry.payload == (
        '{"a":"ß","at":"2026-03-14T01:59:26.535897+00:00","b":[1,2.5,null,true]}'
    )
    assert before <= entry.at <= datetime.now(UTC)
    assert entry.digest == digest_json(
        [1, entry.at, "bea", "version.signed", "churn/v3", entry.payload, GENESIS]
    )


def test_a_payload_that_json_cannot_hold_appends_nothing(database: str) -> None:
    upgrade(database)
    with Store(database).engine.begin() as connection:
        with pytest.raises(ValueError, match="not JSON compliant"):
            ledger.append(
                connection, actor="a", action="b.c", subject="d", payload={"x": float("nan")}
            )
        assert ledger.head(connection) == (0, GENESIS)


WRITERS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from sqlalchemy import text
from mlops.store.connect import Store
from mlops.store.tables import CaseRow

url, count = sys.argv[1], int(sys.argv[2])

def case(writer, id):
    return CaseRow(id=id, model="churn", version=1, cause=writer, severity="low", owner="bea",
                   finding="none", opened_at=datetime.now(UTC))

def write(writer):
    store, new = Store(url), 0
    with store.transaction() as transaction:
        transaction.session.execute(text("SELECT pg_advisory_xact_lock_shared(1)"))
    for number in range(count):
        for id in (f"{writer}/{number}", f"shared/{number}"):
            with store.transaction() as transaction:
                new += transaction.record(
                    case(writer, id), actor=writer, action="case.opened", subject=id, payload={}
                )
    return new

writers = sys.argv[3:]
with ThreadPoolExecutor(len(writers)) as pool:
    print(sum(pool.map(write, writers)))
"""


def test_many_processes_append_one_unbroken_chain(database: str) -> None:
    """Writers that begin at once; each writes facts of its own and facts that all of them write."""
    count, teams = 25, [[f"writer_{n}", f"writer_{n + 1}"] for n in range(0, 8, 2)]
    upgrade(database)
    with psycopg.connect(database) as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        gate.commit()
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", WRITERS, database, str(count), *team],
                env={"PYTHONPATH": str(PROJECT / "plugins")},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for team in teams
        ]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try:
            while gate.execute(waiting).fetchone() != (8,):
                gate.commit()
                assert all(process.poll() is None for process in processes), "a writer ended early"
                time.sleep(0.05)
            gate.execute("SELECT pg_advisory_unlock(1)")
            gate.commit()
            ends = [process.communicate(timeout=120) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    assert [process.returncode for process in processes] == [0] * len(teams), ends
    assert sum(int(out) for out, _ in ends) == 9 * count
    with Store(database).engine.connect() as connection:
        assert ledger.verify(connection) == (9 * count, None)
        written = list(ledger.entries(connection))
        facts = connection.execute(text('SELECT id, cause FROM mlops."case"')).all()
    assert sorted((entry.subject, entry.actor) for entry in written) == sorted(map(tuple, facts))
    # They really wrote at the same time: the chain changes hands far more often than once each.
    assert sum(one.actor != other.actor for one, other in pairwise(written)) > 16


def test_the_walk_holds_a_batch_in_memory_and_not_the_ledger(database: str) -> None:
    upgrade(database)
    length, payload = 20_000, "x" * 4_000
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        columns = "seq, at, actor, action, subject, payload, prev_digest, digest"
        with cursor.copy(f"COPY mlops.ledger ({columns}) FROM STDIN") as copy:
            for entry in chain(length, payload=lambda _: {"text": payload}):
                copy.write_row([getattr(entry, name) for name in columns.split(", ")])
    with Store(database).engine.connect() as connection:
        tracemalloc.start()
        try:
            assert ledger.verify(connection) == (length, None)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    # Two batches: the one that the driver fetched, and the one that is held against its facts.
    assert peak < length * len(payload) * 3 / 4


FACTS: list[Base] = [
    SpecRow(
        digest="5",
        model="churn",
        criteria_digest="c",
        content={"b": 1e16, "a": -0.0},
        registered_at=AT,
    ),
    *(
        CaseRow(
            id=name,
            model="churn",
            version=1,
            cause="drift",
            severity="low",
            owner="bea",
            finding="none",
            opened_at=AT,
        )
        for name in ("one", "two")
    ),
    DecisionRow(
        id="d",
        gate="churn_release/1/sign_off.risk",
        model="churn",
        version=1,
        seat="risk",
        answer="Reject",
        user_id="7",
        user_name="max",
        reason="not yet",
        method="required_action",
        counted=True,
        refusal="",
        package_digest="p",
        spec_digest="5",
        snapshot_digest="s",
        evidence_digest="e",
        criteria_digest="c",
        run={"dag_id": "churn_release"},
        decided_at=AT,
        valid_until=None,
    ),
    BatchRow(
        id="b",
        model="churn",
        version=1,
        package_digest="p",
        window_start=AT,
        window_end=AT,
        rows=3,
        summary={"zero": -0.0, "large": 1e16, "small": 5e-324, "text": "ß"},
        run={},
        published_at=AT,
    ),
    MeasurementRow(
        digest="m", model="churn", version=1, batch="b", content={"psi": 0.1}, measured_at=AT
    ),
]
NAMES = [f"{row.__tablename__}/{number}" for number, row in enumerate(FACTS, 1)]


@pytest.fixture(scope="module")
def recorded(make_database: Callable[..., str]) -> Iterator[Connection]:
    """A superuser's connection to a store with ``FACTS``; what a test does is undone."""
    url = make_database()
    upgrade(url)
    with Store(url).transaction() as transaction:
        for row, name in zip(FACTS, NAMES, strict=True):
            assert transaction.record(row, actor="bea", action="a.b", subject=name, payload={})
    with Store(url).engine.connect() as connection:
        yield connection


def test_facts_that_stand_as_they_were_recorded_hold(recorded: Connection) -> None:
    """Also where the database spells their numbers otherwise than they were written."""
    assert ledger.verify(recorded) == (len(FACTS), None)
    for entry, row in zip(ledger.entries(recorded), FACTS, strict=True):
        fact = json.loads(entry.payload)["fact"]
        assert fact["table"] == row.__tablename__
        assert len(fact["key"]) == len(row.__table__.primary_key)
    recorded.rollback()


@pytest.mark.parametrize(
    ("statement", "seq", "reason"),
    [
        ("UPDATE mlops.decision SET answer = 'Approve'", 4, "its decision d was changed"),
        ("UPDATE mlops.decision SET counted = false", 4, "its decision d was changed"),
        ("UPDATE mlops.decision SET valid_until = now()", 4, "its decision d was changed"),
        ("UPDATE mlops.decision SET run = run || '{\"a\": 1}'", 4, "its decision d was changed"),
        ("UPDATE mlops.decision SET id = 'x'", 4, "its decision d is missing"),
        ("DELETE FROM mlops.decision", 4, "its decision d is missing"),
        ("UPDATE mlops.\"case\" SET owner = 'max'", 2, "its case one was changed"),
        ("UPDATE mlops.\"case\" SET owner = 'max' WHERE id = 'two'", 3, "its case two was changed"),
        (
            "UPDATE mlops.\"case\" SET opened_at = 'infinity' WHERE id = 'two'",
            3,
            "its case two was changed",
        ),
        (
            "UPDATE mlops.\"case\" SET opened_at = opened_at + interval '1 microsecond'",
            2,
            "its case one was changed",
        ),
        ("UPDATE mlops.spec SET content = '{}'", 1, "its spec 5 was changed"),
        (
            "UPDATE mlops.scoring_batch SET summary = jsonb_set(summary, '{large}', '1e17')",
            5,
            "its scoring_batch b was changed",
        ),
        ("UPDATE mlops.measurement SET version = 2", 6, "its measurement m was changed"),
        (
            "UPDATE mlops.measurement SET version = 2; UPDATE mlops.decision SET version = 2",
            4,
            "its decision d was changed",
        ),
    ],
)
def test_an_edited_fact_is_found_by_its_entry(
    recorded: Connection, statement: str, seq: int, reason: str
) -> None:
    for part in statement.split("; "):
        recorded.exec_driver_sql(part)
    assert ledger.verify(recorded) == (seq - 1, Break(seq, reason))
    recorded.rollback()


def test_a_fact_whose_json_is_too_deep_to_be_read_is_named(recorded: Connection) -> None:
    deep = "[" * 2_500 + "]" * 2_500
    recorded.exec_driver_sql(f"UPDATE mlops.decision SET run = '{deep}'")
    assert ledger.verify(recorded) == (3, Break(4, "its decision d was changed"))
    recorded.rollback()


def test_the_first_of_a_broken_entry_and_an_edited_fact_is_named(recorded: Connection) -> None:
    recorded.execute(WITHOUT_TRIGGER)
    recorded.exec_driver_sql("UPDATE mlops.ledger SET actor = 'nobody' WHERE seq = 5")
    found = ledger.verify(recorded)[1]
    assert found is not None
    assert found.seq == 5
    recorded.exec_driver_sql("UPDATE mlops.decision SET answer = 'Approve'")
    assert ledger.verify(recorded) == (3, Break(4, "its decision d was changed"))
    recorded.rollback()


def test_a_later_entry_does_not_make_an_edit_good(recorded: Connection) -> None:
    """Whoever may add to the ledger may add a sound entry about the fact as it is now."""
    recorded.exec_driver_sql("UPDATE mlops.decision SET answer = 'Approve'")
    row = recorded.execute(select(DecisionRow.__table__)).one()
    fact = fact_digests.reference(DecisionRow.__table__, row._mapping)
    ledger.append(recorded, actor="bea", action="a.b", subject="c", payload={"fact": fact})
    assert ledger.verify(recorded) == (3, Break(4, "its decision d was changed"))
    recorded.rollback()


@pytest.mark.parametrize(
    "payload",
    [
        "no JSON",
        "[]",
        "5",
        "[" * 99_999 + "]" * 99_999,
        '{"fact": 5}',
        '{"fact": {}}',
        '{"fact": {"table": "nobody", "key": ["x"], "digest": "d"}}',
        '{"fact": {"table": ["case"], "key": ["x"], "digest": "d"}}',
        '{"fact": {"table": "case", "key": "x", "digest": "d"}}',
        '{"fact": {"table": "case", "key": [], "digest": "d"}}',
        '{"fact": {"table": "case", "key": [7], "digest": "d"}}',
        '{"fact": {"table": "case", "key": [["x"]], "digest": "d"}}',
        '{"fact": {"table": "case", "key": ["a\\u0000b"], "digest": "d"}}',
        '{"fact": {"table": "case", "key": ["never opened"], "digest": "d"}}',
    ],
)
def test_an_entry_of_any_shape_is_named_and_ends_no_walk(
    recorded: Connection, payload: str
) -> None:
    """Whoever may add to the ledger may add an entry whose digests are right."""
    seq, digest = ledger.head(recorded)
    forged = replace(chain(1)[0], seq=seq + 1, prev_digest=digest, payload=payload)
    recorded.execute(ADD, asdict(replace(forged, digest=forged.recompute())))
    holding, broken = ledger.verify(recorded)
    assert holding == seq
    assert broken is not None
    assert broken.seq == seq + 1
    recorded.rollback()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def shuffled(value: Any, order: random.Random) -> Any:
    """``value`` with the keys of all its dictionaries in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(value=json_values, order=st.randoms(use_true_random=False))
def test_canonical_json_does_not_depend_on_the_order_of_keys(
    value: Any, order: random.Random
) -> None:
    assert canonical_json(shuffled(value, order)) == canonical_json(value)


@given(value=json_values)
def test_canonical_json_is_json_and_loses_nothing(value: Any) -> None:
    written = canonical_json(value)
    assert json.loads(written) == value
    assert canonical_json(json.loads(written)) == written


@given(one=json_values, other=json_values)
def test_what_differs_is_written_otherwise(one: Any, other: Any) -> None:
    if canonical_json(one) == canonical_json(other):
        assert one == other


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_canonical_json_refuses_what_is_no_number(number: float) -> None:
    for value in (number, [number], {"deep": [{"er": number}]}):
        with pytest.raises(ValueError, match="not JSON compliant"):
            canonical_json(value)


def test_canonical_json_refuses_a_datetime_without_a_zone() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        canonical_json({"at": datetime(2026, 3, 14)})


@given(
    moment=st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),
    minutes=st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_is_written_in_utc_whatever_its_zone(moment: datetime, minutes: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert canonical_json(elsewhere) == canonical_json(moment)
    assert datetime.fromisoformat(json.loads(canonical_json(elsewhere))) == moment


def test_canonical_json_of_dates_and_of_what_it_does_not_know() -> None:
    assert canonical_json([date(2026, 3, 14), ("a", "ß")]) == '["2026-03-14",["a","ß"]]'
    for value in ({1, 2}, b"bytes", object()):
        with pytest.raises(TypeError, match="cannot be written as canonical JSON"):
            canonical_json(value)
