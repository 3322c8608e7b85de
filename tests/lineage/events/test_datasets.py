"""One namespace and one name for each thing, wherever its connection says that it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops.lineage.events.datasets import Dataset
from tests.lineage.events.facts import ORIGIN, OURS, TABLES

NAMES = ORIGIN.names


@pytest.mark.parametrize(
    ("location", "namespace", "name"),
    [
        ("/srv/reports/v1.html", "file", "/srv/reports/v1.html"),
        ("file:///srv/reports/v1.html", "file", "/srv/reports/v1.html"),
        ("s3://bucket/reports/v1.html", "s3://bucket", "reports/v1.html"),
    ],
)
def test_a_file_is_named_by_its_place(location: str, namespace: str, name: str) -> None:
    assert NAMES.file(location) == Dataset(namespace, name)


def test_a_server_with_several_addresses_has_one_name() -> None:
    names = replace(NAMES, canonical={"db:5432": "warehouse.example:5432"})
    assert names.table("public", "t").namespace == "postgres://warehouse.example:5432"
    assert names.ours("x").namespace == "mlops://warehouse.example:5432/mlops"
    assert (NAMES.table("public", "t").namespace, NAMES.ours("x").namespace) == (TABLES, OURS)


def test_the_tables_of_a_query_are_those_of_its_parts_as_well() -> None:
    query = """
        WITH recent AS (SELECT * FROM sales.orders WHERE id IN (SELECT id FROM refunds))
        SELECT * FROM recent JOIN sales.orders o USING (id)
    """
    found = NAMES.tables_of(query)
    assert [dataset.name for dataset in found] == ["shop.public.refunds", "shop.sales.orders"]
