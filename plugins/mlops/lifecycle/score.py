"""``<model>_score``: the live version scores one window."""

from __future__ import annotations

from airflow.sdk import DAG

from mlops.lifecycle.common import (
    heading,
    model_dag,
    phase,
    predictions_asset,
    task_args,
    window_param,
)
from mlops.operators.scoring import CheckInputOperator, PublishOperator, ScoreOperator
from mlops.spec.model import ModelSpec


def score_dag(spec: ModelSpec) -> DAG:
    """check_input → score (one mapped task for each shard) → publish."""
    view = f"{spec.deploy.output_schema}.{spec.model}"
    text = (
        f"Scores one {spec.deploy.window} with the live version and publishes it in the view "
        f"`{view}`. Signatures and bytes are checked again before every batch."
    )
    args = task_args(spec)
    dag = model_dag(
        spec,
        "score",
        doc_md=heading(spec, text),
        params=window_param(spec.deploy.window),
        schedule=spec.deploy.schedule,
        max_active_runs=1,
    )
    with dag, phase("deploy", "Deploy", tooltip="Predictions for applications"):
        plan = CheckInputOperator(
            task_id="check_input",
            window="{{ params.window }}",
            unit=spec.deploy.window,
            shards=spec.deploy.shards,
            **args,
        )
        scored = ScoreOperator.partial(task_id="score", plan=plan.output, **args).expand(
            shard=list(range(spec.deploy.shards))
        )
        PublishOperator(
            task_id="publish",
            plan=plan.output,
            scored=scored.output,
            outlets=[predictions_asset(spec.model)],
            **args,
        )
    return dag
