"""Deploy: score the parts of a shard with the signed model, or its rule, and keep the scores."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from mlops.core.targets.target import target_of
from mlops.errors import ArtifactChanged
from mlops.flow.plans import (
    READ_AGAIN,
    parts_of_shard,
    plan_of_run,
    plan_version,
    published_as,
    require_may_score,
)
from mlops.flow.queries import prediction_table
from mlops.flow.scorer import scorer_of
from mlops.lineage.events.deploy import shard_scored
from mlops.store.tables import PlanRow, ReadingRow
from mlops.warehouse.parts import read_part
from mlops.warehouse.records import Part, ShardTarget
from mlops.warehouse.score import score_shard
from mlops.workspace.results import Scored
from mlops.workspace.workspace import Workspace, now, registered_spec

if TYPE_CHECKING:
    import pyarrow as pa


def score(workspace: Workspace, *, model: str, plan: str, shard: int) -> Scored:
    """Score one shard of a plan with its version or its rule; written again, it is the same.

    Readers of the stable view see nothing of it until the batch is published. A batch that was
    published already is not written again.

    :param plan: digest of the plan that ``check_input`` recorded in this run.
    :param shard: from 0.
    :raises RecordMissing: it is not a plan of this run, or a later reading was published.
    :raises NotSigned: a signature no longer holds, the rule is not what scores now, or the version
        was stopped or rolled back since.
    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: the package is not what was signed,
        or a part is not what was checked.
    :raises PredictionError: a prediction that cannot be of the target, or rows that the estimator
        refuses; nothing of the shard is written.
    """
    with workspace.store.transaction() as transaction:
        row = plan_of_run(transaction, workspace, model=model, digest=plan)
        require_may_score(transaction, row)
        parts = parts_of_shard(row, shard)
        is_published = published_as(transaction, row) is not None
        version = plan_version(transaction, row)
        read = transaction.get(ReadingRow, row.reading)
        spec = registered_spec(transaction, version.spec_digest)
    workspace.emit(
        shard_scored(workspace.origin, version, spec, read, by_rule=row.by_rule, at=now())
    )
    if not is_published:
        target = target_of(spec.content)
        scorer = scorer_of(workspace, version, by_rule=row.by_rule)
        score_shard(
            workspace.warehouse,
            _batches(workspace, row, parts),
            ShardTarget(
                table=prediction_table(spec),
                batch=row.generation,
                shard=shard,
                version=row.model_version,
                values=partial(target.prediction_values, deploy=spec.content.deploy),
            ),
            time=spec.content.develop.time,
            encoder=scorer.encoder,
            predict=scorer.predict,
            require_scores=target.require_scores,
        )
    return Scored(batch=row.generation, shard=shard, rows=sum(part.rows for part in parts))


def _batches(
    workspace: Workspace, plan: PlanRow, parts: tuple[Part, ...]
) -> Iterator[pa.RecordBatch]:
    """The rows of some parts; what is used are the very bytes whose digest was compared."""
    for part in parts:
        batch = read_part(workspace.artifacts.read(part.sha256))
        if batch.num_rows != part.rows:
            raise ArtifactChanged(
                f"a part of {plan.generation}",
                found=f"{batch.num_rows:,} rows",
                expected=f"the {part.rows:,} rows that were checked",
                action=READ_AGAIN,
            )
        yield batch
