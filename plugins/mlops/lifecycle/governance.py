"""``mlops_governance``: what is looked after for all models together."""

from __future__ import annotations

from airflow.sdk import DAG

from mlops.lifecycle.common import DAG_START, DEFAULT_ARGS
from mlops.operators.governance import (
    DeliverLineageOperator,
    RemindOperator,
    RemoveLeftoversOperator,
    ReviewOperator,
    VerifyLedgerOperator,
    VerifyPredictionsOperator,
)
from mlops.vocabulary import GOVERNANCE_DAG

TEXT = """### All models

Every hour: **ledger** walks the hash chain and fails where it is broken; **predictions** compares
published batches and their views with what was recorded, and fails where they differ; **reviews**
names live models whose review is overdue and signatures that end soon; **reminders** notifies
people, through the notifier that their policy names, of approval requests near their deadline;
**lineage** delivers to Marquez what has not arrived there yet, and compares the two once a week;
**artifacts** removes files that tasks which crashed had begun to write more than a day ago, and the
rows of scored windows that the policies keep no longer.
"""


def governance_dag() -> DAG:
    """One task for each thing to look after; they do not wait for one another."""
    dag = DAG(
        dag_id=GOVERNANCE_DAG,
        dag_display_name="mlops governance",
        description="Ledger, reviews, reminders and lineage of all models",
        doc_md=TEXT,
        schedule="@hourly",
        start_date=DAG_START,
        catchup=False,
        max_active_runs=1,
        tags={"mlops", "governance"},
        default_args={**DEFAULT_ARGS, "owner": "mlops"},
    )
    with dag:
        VerifyLedgerOperator(task_id="ledger")
        VerifyPredictionsOperator(task_id="predictions")
        ReviewOperator(task_id="reviews")
        RemindOperator(task_id="reminders")
        DeliverLineageOperator(task_id="lineage")
        RemoveLeftoversOperator(task_id="artifacts")
    return dag
