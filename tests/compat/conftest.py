"""The store of 0.1.0, restored and upgraded to the code of today."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.store.transaction import Transaction
from tests.compat.earlier import EXPECTED, FILES, MODEL, OWNER
from tests.fixtures.approval_key import register, trust_of
from tests.fixtures.life import TASK_ROLE, Life, elsewhere, life

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres
    from tests.fixtures.postgres import MakeDatabase


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres, make_database: MakeDatabase) -> Iterator[str]:
    """The name of a database that both dumps were restored into, by a role without rights."""
    name = make_database().rpartition("/")[2]
    postgres.ensure_role(OWNER)
    postgres.ensure_role(TASK_ROLE)
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO {OWNER}".encode())
    for file in ("store.sql", "warehouse.sql"):
        with psycopg.connect(postgres.url(name, user=OWNER)) as connection:
            connection.execute((FILES / file).read_bytes())
    yield name
    postgres.drop_database(name)


@pytest.fixture
def restored(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """The URL of the restored database, as its owner; its name is in the lineage, so it is kept."""
    name = EXPECTED["database"]
    postgres.ensure_database(name, owner=OWNER, template=template)
    yield postgres.url(name, user=OWNER)
    postgres.drop_database(name)


@pytest.fixture
def left(postgres: EmbeddedPostgres, restored: str, tmp_path: Path) -> Life:
    """The life that 0.1.0 left behind, upgraded to the code of today."""
    upgrade(restored, task_role=TASK_ROLE)
    register(restored)
    for name in ("include", "artifacts"):
        shutil.copytree(FILES / name, tmp_path / name)
    shutil.rmtree(tmp_path / "include" / "reports")  # unchanged copies, as the change log asks
    made = life(
        restored,
        model=MODEL,
        include=tmp_path / "include",
        artifacts=tmp_path / "artifacts",
        store_url=postgres.url(EXPECTED["database"], user=TASK_ROLE),
    )
    url = postgres.url(EXPECTED["database"], user=TASK_ROLE)
    # As a policy that accepts what 0.1.0 recorded, which is not signed.
    trust = replace(trust_of(tmp_path / "include"), unsigned_until=lambda policy: date.max)
    return elsewhere(
        made,
        store=Store(url, trust=trust),
        canonical={f"127.0.0.1:{postgres.port}": EXPECTED["address"]},
    )


@pytest.fixture
def transaction(left: Life) -> Iterator[Transaction]:
    """A transaction of the tasks' role on the upgraded store."""
    with left.workspace.store.transaction() as found:
        yield found
