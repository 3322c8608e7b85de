"""Alembic's way to the store: the connection is handed in by :mod:`mlops.store.migrate`."""

from __future__ import annotations

from alembic import context

from mlops.store.tables import SCHEMA, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
