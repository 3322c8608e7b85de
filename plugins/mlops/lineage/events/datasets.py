"""Names of datasets, as OpenLineage wants them: one namespace and one name for each thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlops.warehouse.records import Address

OWN_SCHEME = "mlops://"  # of the namespace of our own things


@dataclass(frozen=True, order=True)
class Dataset:
    """A thing that is read or written.

    :ivar columns: name and type of its columns, where they are known.
    """

    namespace: str
    name: str
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether it is a thing of this library, and not a table or a file."""
        return self.namespace.startswith(OWN_SCHEME)


@dataclass(frozen=True)
class DatasetNames:
    """Names datasets by where they are.

    :param warehouse: where the customer's data is.
    :param store_place: ``host:port/database`` of our own tables.
    :param canonical: one server may have several addresses (a pooler, a replica's alias); this
        gives for ``host:port`` the one that names it.
    """

    warehouse: Address
    store_place: str
    canonical: Mapping[str, str] = field(default_factory=dict)

    def table(self, schema: str, table: str, columns: tuple[tuple[str, str], ...] = ()) -> Dataset:
        """A table or a view of the warehouse."""
        at = self.warehouse
        return Dataset(
            namespace=f"{at.scheme}://{self._server(at.server)}" if at.server else at.scheme,
            name=".".join(part for part in (at.database, schema, table) if part),
            columns=columns,
        )

    def tables_of(self, query: str) -> tuple[Dataset, ...]:
        """Every table that a query reads, also inside CTEs and subqueries; public by default."""
        # Imported here, since most steps parse no query and sqlglot is slow to import.
        import sqlglot  # noqa: PLC0415
        from sqlglot import exp  # noqa: PLC0415
        from sqlglot.optimizer.scope import traverse_scope  # noqa: PLC0415

        found = {
            (source.db or "public", source.name)
            for scope in traverse_scope(sqlglot.parse_one(query, read=self.warehouse.dialect))
            for source in scope.sources.values()
            if isinstance(source, exp.Table)
        }
        return tuple(self.table(schema, table) for schema, table in sorted(found))

    def ours(self, name: str, columns: tuple[tuple[str, str], ...] = ()) -> Dataset:
        """A thing of our own, of the governed lineage: ``models/churn/versions/7``."""
        server, _, database = self.store_place.partition("/")
        return Dataset(f"{OWN_SCHEME}{self._server(server)}/{database}", name, columns)

    def _server(self, address: str) -> str:
        return self.canonical.get(address, address)

    @staticmethod
    def file(location: str) -> Dataset:
        """A file or an object, by its place."""
        parts = urlsplit(location)
        if parts.scheme in ("", "file"):
            return Dataset(namespace="file", name=parts.path)
        return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))
