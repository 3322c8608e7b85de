"""``docs/extend/report.md``: a report kind of a customer's, written, recorded, shown and traced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops.errors import ExtensionError, SpecError
from mlops.flow.document import document, monitor_report
from mlops.lineage.trace.graph import load
from mlops.lineage.trace.trace import trace
from mlops.registry import extensions_for
from mlops.store import ledger
from mlops.views.history import model_history
from mlops.views.records import find_report
from mlops.workspace.workspace import now
from tests.extend.conftest import Extend
from tests.fixtures.life import Life
from tests.fixtures.small import AS_OF, DAY

PAGE, KIND = "report.md", "acme_handover"


def written(life: Life) -> list[tuple[str, str, str]]:
    """Kind, digest and place of each report, in the order in which they were written."""
    return life.rows("SELECT kind, sha256, location FROM mlops.report ORDER BY written_at")


@pytest.mark.usefixtures("one_thread")
def test_it_is_written_with_each_version_after_the_library_s_own(
    fresh: Life, extend: Extend
) -> None:
    with extend.page(PAGE):
        release = fresh.release(AS_OF)
        assert [kind for kind, *_ in written(fresh)] == ["validation", KIND]
        (_, signed, _), (_, digest, location) = written(fresh)
        # What people sign on is the library's own.
        assert release.documented.report_sha256 == signed
        text = Path(location).read_text()
        assert text.startswith("<!doctype html>")
        assert "Hand-over: late, version 1" in text
        assert "developer sam" in text
        # Written again, it is the same.
        document(fresh.workspace, model="late", version=1)
        assert [sha256 for _, sha256, _ in written(fresh)] == [signed, digest]


@pytest.mark.usefixtures("one_thread")
def test_it_is_in_the_ledger_the_lineage_and_on_the_model_s_page(
    fresh: Life, extend: Extend
) -> None:
    with extend.page(PAGE):
        fresh.release(AS_OF)
        (_, digest, location) = next(row for row in written(fresh) if row[0] == KIND)
        with fresh.workspace.store.transaction() as transaction:
            entries = list(ledger.entries(transaction.session.connection()))
            assert ledger.verify(transaction.session.connection())[1] is None
            graph = load(transaction)
            history = model_history(transaction, "late", at=now(), at_most=10)
            found = find_report(transaction, digest)
        payload = json.loads(entries[-1].payload)
        assert (entries[-1].action, payload["kind"]) == ("report.written", KIND)
        run = next(run for run in graph.runs if run.job == f"late.v1.report_{KIND}")
        assert [output.place[1] for output in run.outputs] == [location]
        assert {name.split("/")[0] for _, name in run.inputs} == {"models", "specs"}
        assert run in trace(graph, "late/v1").runs
        assert "Hand-over report" in [report.title for report in history.reports]
        assert found is not None
        assert found.short_title == "Hand-over of v1"
    # Without the extension the report stays readable.
    assert found.title == "Acme handover report"


@pytest.mark.usefixtures("one_thread")
def test_a_company_replaces_its_template(small: Life, extend: Extend) -> None:
    own = small.include / "reports" / f"{KIND}.html.j2"
    own.parent.mkdir()
    own.write_text("Taken over: {{ report.model }} {{ report.nothing }}")
    with extend.page(PAGE):
        with pytest.raises(SpecError, match=rf"{own}:1: .* a name that reports do not have"):
            document(small.workspace, model="late", version=1)
        own.write_text("Taken over: {{ report.model }}")
        document(small.workspace, model="late", version=1)
        location = next(place for kind, _, place in written(small) if kind == KIND)
        assert Path(location).read_text() == "Taken over: late"


@pytest.mark.usefixtures("one_thread")
def test_a_kind_after_a_judged_window_is_written_with_its_period(
    small: Life, extend: Extend
) -> None:
    with extend.page(PAGE) as module:
        module.HandoverReport.after = "window.judged"
        window = small.window(DAY)
        kinds = [(kind, Path(place).name) for kind, _, place in written(small)]
    assert [kind for kind, _ in kinds] == ["validation", "monitoring", KIND]
    assert kinds[-1][1].startswith(f"{KIND}-2013-07-01-")
    assert window.documented.report_sha256 == written(small)[1][1]


@pytest.mark.usefixtures("one_thread")
def test_a_broken_extension_fails_the_task_after_the_library_s_report(small: Life) -> None:
    window = small.window(DAY)
    small.run("DELETE FROM mlops.report")
    with extensions_for("acme_that_is_missing"):
        for write in (
            lambda: document(small.workspace, model="late", version=1),
            lambda: monitor_report(small.workspace, measurement=window.judged.measurement),
        ):
            with pytest.raises(ExtensionError, match="acme_that_is_missing"):
                write()
    assert [kind for kind, *_ in written(small)] == ["validation", "monitoring"]
