"""``<model>_release``: from a spec to a version that is live, signed by the named people."""

from __future__ import annotations

from airflow.sdk import DAG, Param, TaskGroup

from mlops.lifecycle.common import alarm_asset, heading, model_dag, phase, task_args
from mlops.operators.release import (
    CheckDataOperator,
    DeployOperator,
    DocumentOperator,
    IntakeOperator,
    PackageOperator,
    SnapshotOperator,
    TrainOperator,
    ValidateOperator,
)
from mlops.sensors.approval import ApprovalSensor
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy, Tier

AS_OF = Param(
    "",
    type="string",
    title="As of",
    description="The run's clock, as 2013-07-01: nothing that became known later is read. "
    "Empty: the run's date.",
)


def release_dag(spec: ModelSpec, policy: Policy, tier: Tier) -> DAG:
    """intake → snapshot → check_data → train → validate → package → document → sign_off → deploy.

    People sign the digest of the very package that ``deploy`` puts live.
    """
    seats = ", ".join(policy.seats[seat].title for seat in tier.seats)
    text = (
        f"Trains a version, has it signed by **{seats}** (tier *{tier.name}*), and deploys it. "
        "The person who triggers a run cannot sign its version; neither can its developer."
    )
    args = task_args(spec)
    dag = model_dag(
        spec,
        "release",
        doc_md=heading(spec, text),
        params={"as_of": AS_OF},
        schedule=[alarm_asset(spec.model)] if spec.monitor.retrain_on_alarm else None,
    )
    with dag:
        with phase("manage", "Manage", tooltip="Why the model exists"):
            intake = IntakeOperator(task_id="intake", **args)
        with phase("develop", "Develop", tooltip="From data to a package"):
            snapshot = SnapshotOperator(
                task_id="snapshot",
                spec_digest=intake.field("spec_digest"),
                as_of="{{ params.as_of }}",
                **args,
            )
            checked = CheckDataOperator(
                task_id="check_data", snapshot_id=snapshot.field("snapshot_id"), **args
            )
            trained = TrainOperator(
                task_id="train", snapshot_id=checked.field("snapshot_id"), **args
            )
            validated = ValidateOperator(
                task_id="validate", training_id=trained.field("training_id"), **args
            )
            packaged = PackageOperator(
                task_id="package",
                training_id=validated.field("training_id"),
                champion=validated.field("champion"),
                **args,
            )
            documented = DocumentOperator(
                task_id="document", version=packaged.field("version"), **args
            )
        with phase("deploy", "Deploy", tooltip="Sign-off and deployment"):
            with TaskGroup("sign_off", tooltip="One approval request for each seat") as sign_off:
                for seat in tier.seats:
                    ApprovalSensor(
                        task_id=seat,
                        task_display_name=policy.seats[seat].title,
                        version=documented.field("version"),
                        seat=seat,
                        **args,
                    )
            deployed = DeployOperator(task_id="deploy", version=documented.field("version"), **args)
            sign_off >> deployed
    return dag
