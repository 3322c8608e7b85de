"""What the DAGs of one model have in common: name, owners, tags, clock and documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Param, TaskGroup

from mlops.spec.model import ModelSpec
from mlops.vocabulary import model_dag_id

# Runs are keyed by what they are about, so the day on which DAGs began means nothing; it only has
# to be before every date that a run may be given.
DAG_START = datetime(2000, 1, 1, tzinfo=UTC)
DEFAULT_ARGS = {"retries": 2, "retry_delay": timedelta(seconds=30)}


def model_dag(
    spec: ModelSpec,
    phase: str,
    *,
    schedule: Any,
    doc_md: str,
    params: dict[str, Param],
    **kwargs: Any,
) -> DAG:
    """An empty DAG ``<model>_<phase>`` with everything that a reader of the UI looks for."""
    return DAG(
        dag_id=model_dag_id(spec.model, phase),
        dag_display_name=f"{spec.model} {phase}",
        description=spec.title,
        doc_md=doc_md,
        schedule=schedule,
        start_date=DAG_START,
        catchup=False,
        tags={"mlops", spec.model, phase},
        default_args={**DEFAULT_ARGS, "owner": spec.manage.developer},
        params=params,
        fail_fast=False,
        **kwargs,
    )


def phase(group_id: str, title: str, *, tooltip: str) -> TaskGroup:
    """A phase of the life as a group; its tasks keep their own short ids."""
    return TaskGroup(
        f"{group_id}_phase", group_display_name=title, prefix_group_id=False, tooltip=tooltip
    )


def task_args(spec: ModelSpec) -> dict[str, Any]:
    """The arguments that every operator of a model is given."""
    return {"model": spec.model, "warehouse_conn_id": spec.warehouse}


def predictions_asset(model: str) -> Asset:
    """The asset whose events say that a batch of predictions can be read."""
    return Asset(name=f"{model}_predictions", uri=f"mlops://predictions/{model}")


def alarm_asset(model: str) -> Asset:
    """The asset whose events say that a monitored window was an alarm."""
    return Asset(name=f"{model}_alarm", uri=f"mlops://alarms/{model}")


def window_param(unit: str) -> dict[str, Param]:
    """The form field of a run for one window."""
    example = {"hour": "2013-07-01T05", "day": "2013-07-01", "week": "2013-W27", "month": "2013-07"}
    return {
        "window": Param(
            "",
            type="string",
            title="Window",
            description=f"The {unit} to run for, as {example[unit]}. "
            f"Empty: the last whole {unit} before the run's date.",
        )
    }


def heading(spec: ModelSpec, what: str) -> str:
    """The first lines of every DAG's documentation."""
    manage = spec.manage
    runbook = f"\n\n**At night:** {manage.runbook}" if manage.runbook else ""
    return (
        f"### {spec.title}\n\n{what}\n\n"
        f"| | |\n|---|---|\n| Decision | {manage.decision} |\n| KPI | {manage.kpi.name} |\n"
        f"| Business owner | {manage.business_owner} |\n| Developer | {manage.developer} |"
        f"{runbook}\n\nEvery task may be cleared and rerun: it finds what it has done already."
    )
