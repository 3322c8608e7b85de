"""``docs/extend/operator.md``: an operator of a customer's takes part as ours do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from mlops.cli.doctor.emission_policy import operators
from mlops.lineage.marquez.compare import compare_outbox
from mlops.lineage.trace.graph import load
from mlops.lineage.trace.trace import trace
from mlops.operators.registry import is_known_operator
from mlops.store import ledger
from tests.extend.conftest import PACKAGE, Extend
from tests.fixtures.life import Life
from tests.fixtures.small import AS_OF
from tests.operators.conftest import Desk, configured
from tests.test_architecture import HEAVY

PAGE = "operator.md"


@pytest.fixture
def desk(fresh: Life, tmp_path: Path) -> Iterator[Desk]:
    """Where the operators of the small model are executed."""
    store = fresh.workspace.store.libpq_url
    with configured(tmp_path, {"warehouse": fresh.database, "mlops_store": store}):
        yield Desk(fresh)


@pytest.mark.usefixtures("one_thread")
def test_its_step_is_in_the_ledger_in_marquez_and_in_airflow_s_own_lineage(
    fresh: Life, desk: Desk, extend: Extend, tmp_path: Path
) -> None:
    fresh.release(AS_OF)
    with extend.page(PAGE) as module:
        operator = module.CatalogueOperator(
            task_id="catalogue", model="late", version="1", folder=str(tmp_path)
        )
        value = desk.run(operator)
        file = Path(value["file"])
        assert json.loads(file.read_text())["title"]
        told = operator.get_openlineage_facets_on_complete(None)
        assert [item.name for item in told.inputs] == ["airflow/models/late/versions/1"]
        assert [(item.namespace, item.name) for item in told.outputs] == [("file", str(file))]
    with fresh.workspace.store.transaction() as transaction:
        connection = transaction.session.connection()
        entry = list(ledger.entries(connection))[-1]
        assert ledger.verify(connection)[1] is None
        graph = load(transaction)
    assert (entry.action, entry.subject) == ("acme.catalogued", "late/v1")
    assert entry.actor == "task:late_release.catalogue"
    run = next(run for run in graph.runs if run.job == "late.v1.catalogue")
    assert run.facets["mlops_ledger"]["seq"] == entry.seq
    assert run in trace(graph, "late/v1").runs
    assert compare_outbox(fresh.workspace.store).problems == ()


def test_a_task_that_failed_names_what_it_was_given_to_read(
    desk: Desk, extend: Extend, tmp_path: Path
) -> None:
    with extend.page(PAGE) as module:
        operator = module.CatalogueOperator(
            task_id="catalogue", model="late", version="7", folder=str(tmp_path)
        )
        with pytest.raises(AirflowFailException, match="RecordMissing: version late/7"):
            desk.run(operator)
        failed = operator.get_openlineage_facets_on_failure(None)
        assert [item.name for item in failed.inputs] == ["airflow/models/late/versions/7"]
        assert failed.outputs == []


def test_the_listener_and_the_doctor_know_it(extend: Extend) -> None:
    with extend.page(PAGE) as module:
        assert is_known_operator("CatalogueOperator")
        assert module.CatalogueOperator in operators()
    assert not is_known_operator("CatalogueOperator")


def test_a_dag_file_that_uses_it_imports_nothing_heavy(extend: Extend, tmp_path: Path) -> None:
    with extend.page(PAGE):
        code = "import acme_catalogue, json, sys; print(json.dumps(sorted(sys.modules)))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": os.pathsep.join([str(extend.folder), str(PACKAGE.parent)]),
                "AIRFLOW_HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=True,
        )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "acme_catalogue" in loaded
    assert sorted(loaded & set(HEAVY)) == []
