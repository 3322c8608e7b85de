"""An Airflow DAG written by hand with the same operators: a rehearsal without signatures.

A data scientist runs it on a changed spec to see whether its gates would pass. It stops before
the package, so nothing of it can reach production.
"""

from airflow.sdk import DAG, Param

from mlops.operators import (
    CheckDataOperator,
    IntakeOperator,
    SnapshotOperator,
    TrainOperator,
    ValidateOperator,
)

MODEL = "flight_delay"

with DAG(
    dag_id="flight_delay_rehearsal",
    doc_md=__doc__,
    schedule=None,
    tags={"mlops", "flight_delay", "by-hand"},
    params={"as_of": Param("2013-07-01", type="string", title="As of")},
    default_args={"owner": "sam"},
):
    intake = IntakeOperator(model=MODEL, task_id="intake")
    snapshot = SnapshotOperator(
        model=MODEL,
        task_id="snapshot",
        spec_digest=intake.field("spec_digest"),
        as_of="{{ params.as_of }}",
    )
    checked = CheckDataOperator(
        model=MODEL, task_id="check_data", snapshot_id=snapshot.field("snapshot_id")
    )
    trained = TrainOperator(model=MODEL, task_id="train", snapshot_id=checked.field("snapshot_id"))
    ValidateOperator(model=MODEL, task_id="validate", training_id=trained.field("training_id"))
