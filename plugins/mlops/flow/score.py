"""Deploy: stream a shard through the signed model, or its rule, and write the predictions back."""

from __future__ import annotations

from functools import partial

from mlops.approvals.signatures import require_signed
from mlops.core.targets.target import target_of
from mlops.errors import NotSigned
from mlops.flow.deployments import current_deployment
from mlops.flow.fallback import choose_version
from mlops.flow.queries import prediction_table
from mlops.flow.scorer import scorer_of
from mlops.flow.source_access import newest_reading
from mlops.lineage.events.deploy import shard_scored
from mlops.store.tables import VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import ROLLBACK, STOP
from mlops.warehouse.records import ShardTarget
from mlops.warehouse.score import score_shard
from mlops.workspace.plan import Plan, Scored, Shard
from mlops.workspace.workspace import Workspace, now, registered_spec


def score(workspace: Workspace, *, plan: Plan, shard: Shard) -> Scored:
    """Score one shard with the plan's version or its rule; its rows replace what stood there.

    Readers of the stable view see nothing of it until the batch is published.

    :raises NotSigned: a signature no longer holds, the rule is not what scores now, or the version
        was stopped or rolled back since.
    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: the package is not what was signed.
    :raises PredictionError: a prediction that cannot be of the target, or rows that the estimator
        refuses; nothing of the shard is written.
    """
    with workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, plan.model, plan.version)
        if not plan.by_rule:
            require_signed(transaction, version, at=now())
        _require_chosen(transaction, plan)
        read = newest_reading(transaction, plan.batch)
        spec = registered_spec(transaction, version.spec_digest)
    workspace.emit(
        shard_scored(workspace.origin, version, spec, read, by_rule=plan.by_rule, at=now())
    )
    scorer = scorer_of(workspace, version, by_rule=plan.by_rule)
    target = target_of(spec.content)
    scored = score_shard(
        workspace.warehouse,
        # What is known does not depend on the cut: each shard knows what the check has counted.
        scorer.query(shard.period, as_of=plan.period.end),
        ShardTarget(
            table=prediction_table(spec),
            batch=plan.batch,
            shard=shard.shard,
            shards=plan.parts,
            version=plan.model_version,
            values=partial(target.prediction_values, deploy=spec.content.deploy),
        ),
        time=spec.content.develop.time,
        encoder=scorer.encoder,
        predict=scorer.predict,
        require_scores=target.require_scores,
    )
    return Scored(
        batch=plan.batch,
        shard=shard.shard,
        rows=scored.rows,
        unseen=dict(scored.unseen),
        snapshot=scored.state.snapshot,
        lsn=scored.state.lsn,
    )


def _require_chosen(transaction: Transaction, plan: Plan) -> None:
    """Refuse the rule, and a version while it is stopped or rolled back, unless it scores now.

    A version that was merely replaced by a release is let through: what it scores is published
    behind the new version's batch.
    """
    deployment = current_deployment(transaction, plan.model)
    undone = deployment is not None and deployment.action in (STOP, ROLLBACK)
    if not plan.by_rule and not undone:
        return
    choice = choose_version(transaction, plan.model, at=now())
    number = None if choice.version is None else choice.version.number
    if (number, choice.by_rule) != (plan.version, plan.by_rule):
        raise NotSigned(
            f"batch {plan.batch}",
            found=f"a plan of {'the rule' if plan.by_rule else f'v{plan.version}'}, "
            "which is not what scores now",
            expected="what is live, or the safe state that the policy names",
            action="clear the task 'check_input', which plans the window again",
        )
