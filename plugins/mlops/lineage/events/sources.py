"""What a query read: the fact that is kept of it, and its events.

Marquez follows a column downstream only from a dataset that was the output of some run, and gives a
table a version only when one wrote it. So each table that is read gets a run ``observe.<table>``,
from the contract (the columns that we rely on) to the table. Marquez fails with 500 on every walk
upstream that meets a dataset which no run wrote, so the contract has a run of its own, without
inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops.digests import digest_bytes
from mlops.lineage.events import facets
from mlops.lineage.events.datasets import Dataset
from mlops.lineage.events.facets import From
from mlops.lineage.events.origin import Origin, same_columns
from mlops.lineage.events.run import GovernedRuns, Port, Run
from mlops.store.tables import ReadingRow

if TYPE_CHECKING:  # a spec is checked without the warehouse's drivers
    from mlops.lineage.columns.derive import ColumnLineage, Edge
    from mlops.warehouse.records import QueryReading

Edges = Sequence[Sequence[str]]


def content_of(query: str, found: QueryReading, columns: ColumnLineage) -> dict[str, Any]:
    """What is kept of a reading, as plain JSON."""
    used: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in found.used:
        used.setdefault((schema, table), set()).add(column)
    return {
        "query_sha256": digest_bytes(query.encode()),
        "snapshot": found.snapshot,
        "lsn": found.lsn,
        "tables": [
            {
                "schema": table.schema,
                "table": table.table,
                "kind": table.kind,
                "columns": [[column.name, column.type] for column in table.columns],
                "used": sorted(used.get((table.schema, table.table), ())),
            }
            for table in found.tables
        ],
        "columns": {
            name: [_kept(edge) for edge in edges] for name, edges in columns.columns.items()
        },
        "rows": [_kept(edge) for edge in columns.dataset],
        "unknown": list(columns.unknown),
    }


def _kept(edge: Edge) -> list[str]:
    source = edge.source
    return [
        source.schema,
        source.table,
        source.column,
        edge.kind,
        edge.subtype,
        edge.description if edge.kind == "DIRECT" else "",
    ]


def sources_read(
    origin: Origin, row: ReadingRow, *, written: Collection[tuple[str, str]] = ()
) -> GovernedRuns | None:
    """For each table its contract, and an ``observe`` run: its columns, its state as it was.

    :param written: schema and name of the tables that scoring runs write: what observed them as
        well would take the place of those runs.
    :return: None where no other table was read.
    """
    runs = [
        run
        for table in row.content["tables"]
        if (table["schema"], table["table"]) not in written
        for run in (_contract(origin, row, table), _observed(origin, row, table))
    ]
    return origin.events_for(row.model, *runs) if runs else None


def _contract(origin: Origin, row: ReadingRow, found: Mapping[str, Any]) -> Run:
    table = _table(origin, found)
    return Run(
        job=f"contract.{table.name}",
        at=row.read_at,
        inputs=(),
        outputs=(Port(_contract_of(origin, table)),),
        job_facets=facets.documentation("States the columns of the table that models rely on."),
    )


def _contract_of(origin: Origin, table: Dataset) -> Dataset:
    return origin.names.ours(f"contracts/{table.name}", table.columns)


def _observed(origin: Origin, row: ReadingRow, found: Mapping[str, Any]) -> Run:
    table = _table(origin, found)
    contract = _contract_of(origin, table)
    names = [name for name, _ in table.columns]
    return Run(
        job=f"observe.{table.name}",
        at=row.read_at,
        inputs=(Port(contract),),
        outputs=(
            Port(
                table,
                facets={
                    **facets.version(row.content["snapshot"]),
                    **facets.dataset_documentation(
                        f"A table of the warehouse, last read as it was at "
                        f"{row.read_at:%Y-%m-%d %H:%M:%S} UTC "
                        f"({origin.names.warehouse.state_kind} {row.content['snapshot']})."
                    ),
                    **facets.dataset_type("VIEW" if found["kind"] == "view" else "TABLE"),
                    **facets.column_lineage(same_columns(contract, names, "observed")),
                },
            ),
        ),
        job_facets=facets.documentation(
            "Looks at the table before it is read, so that what depends on it can be followed."
        ),
    )


def inputs_of(origin: Origin, *rows: ReadingRow) -> tuple[Port, ...]:
    """The tables as inputs of the run that read them, each with what was read of it.

    A table that several queries read is one input, in the state that the last one of them saw.
    """
    newest: dict[Dataset, ReadingRow] = {}
    used: dict[Dataset, set[str]] = {}
    for row in rows:
        for found in row.content["tables"]:
            table = _table(origin, found)
            newest[table] = row
            used.setdefault(table, set()).update(found["used"])
    return tuple(
        Port(
            table,
            io=facets.read(
                kind=origin.names.warehouse.state_kind,
                version=row.content["snapshot"],
                lsn=row.content["lsn"],
                columns=sorted(used[table]),
                as_of=row.read_at,
            ),
        )
        for table, row in newest.items()
    )


def columns_from(origin: Origin, row: ReadingRow) -> dict[str, list[From]]:
    """Each column of the query's result, with the columns of tables that it comes from."""
    return {name: _froms(origin, edges) for name, edges in row.content["columns"].items()}


def rows_from(origin: Origin, row: ReadingRow) -> list[From]:
    """The columns of tables that decide which rows there are."""
    return _froms(origin, row.content["rows"])


def _froms(origin: Origin, edges: Edges) -> list[From]:
    found = []
    for schema, table, column, kind, subtype, description in edges:
        dataset = origin.names.table(schema, table)
        found.append(From(dataset.namespace, dataset.name, column, kind, subtype, description))
    return found


def _table(origin: Origin, found: Mapping[str, Any]) -> Dataset:
    columns = tuple((name, kind) for name, kind in found["columns"])
    return origin.names.table(found["schema"], found["table"], columns)
