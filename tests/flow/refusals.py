"""What a refusal must be: its class, its words, and nothing half-written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops.errors import MlopsError, SpecError
from tests.flow.life import Life, added

# A verdict, its ledger entry, and what is told of it: START and COMPLETE.
VERDICT = {"mlops.check_result": 1, "mlops.ledger": 1, "mlops.lineage_event": 2}
# The same of rows that were to be scored, with what was read for them.
READ_AND_VERDICT = {
    "mlops.check_result": 1,
    "mlops.reading": 1,
    "mlops.ledger": 2,
    "mlops.lineage_event": 4,
}
NOTHING: Mapping[str, int] = {}


@contextmanager
def refused(
    life: Life, kind: type[MlopsError], *words: str, adds: Mapping[str, int] = NOTHING
) -> Iterator[None]:
    """The block is refused with ``kind``, whose message has all ``words``.

    No row of any table is other than before, and no file of the artifacts; but a verdict is on
    record before it is raised: then ``adds`` says how many rows which tables have more.
    """
    rows, files = life.content(), kept(life)
    with pytest.raises(MlopsError) as raised:
        yield
    error = raised.value
    assert type(error) is kind, repr(error)
    missing = [word for word in words if word not in str(error)]
    assert not missing, f"{missing} not in: {error}"
    if not isinstance(error, SpecError):  # a spec's errors are lines, each with all of this
        assert error.what and error.found is not None
        assert error.expected is not None or error.action is not None
    after = life.content()
    assert added(rows, after) == adds
    assert {name: after[name] for name in rows if name not in adds} == {
        name: rows[name] for name in rows if name not in adds
    }
    assert kept(life) == files


def kept(life: Life) -> set[Path]:
    """Every file below the artifact folder, also unfinished ones."""
    root = life.include.parent / "artifacts"
    return {file for file in root.rglob("*") if file.is_file()}
