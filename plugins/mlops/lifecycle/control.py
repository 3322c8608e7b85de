"""``<model>_control``: stop, roll back, resume, revoke; one task, with a reason."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from mlops.lifecycle.common import heading, model_dag, task_args
from mlops.operators.control import ControlOperator
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Tier

ACTIONS = ["rollback", "stop", "resume", "revoke"]


def control_dag(spec: ModelSpec, tier: Tier) -> DAG:
    """One task that changes what is live, for the person who starts the run."""
    text = (
        "Changes what is live, at once, and records it: **rollback** makes the version before live "
        "again, **stop** puts the model into the safe state that its policy names, **resume** "
        "ends a stop, **revoke** takes a seat's signature back (for its holders only). The "
        "person who starts the run is recorded as the one who did it."
    )
    params = {
        "action": Param("rollback", type="string", enum=ACTIONS, title="What to do"),
        "reason": Param(
            "", type="string", minLength=3, title="Reason", description="It goes into the ledger."
        ),
        "version": Param(
            "", type="string", title="Version", description="A number; empty for the usual one."
        ),
        "seat": Param(
            "", type="string", enum=["", *tier.seats], title="Seat", description="For revoke."
        ),
    }
    dag = model_dag(
        spec,
        "control",
        doc_md=heading(spec, text),
        params=params,
        schedule=None,
    )
    with dag:
        ControlOperator(
            task_id="control",
            action="{{ params.action }}",
            reason="{{ params.reason }}",
            version="{{ params.version }}",
            seat="{{ params.seat }}",
            **task_args(spec),
        )
    return dag
