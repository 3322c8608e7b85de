"""Deploy: stream a shard through the signed model, or its rule, and write the predictions back."""

from __future__ import annotations

from mlops.errors import NotSigned
from mlops.flow.fallback import choose
from mlops.flow.plan import Plan, Scored, Shard
from mlops.flow.scorer import scorer_of
from mlops.flow.signatures import require_signed
from mlops.flow.workspace import Workspace, now
from mlops.store.connect import Transaction
from mlops.store.tables import VersionRow
from mlops.warehouse.score import score_shard


def score(workspace: Workspace, *, plan: Plan, shard: Shard) -> Scored:
    """Score one shard with the plan's version or its rule; its rows replace what stood there.

    Readers of the stable view see nothing of it until the batch is published.

    :raises NotSigned: a signature no longer holds, or the rule is not what scores now.
    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: the package is not what was signed.
    :raises PredictionError: an infinite or NaN prediction, or rows that the estimator refuses;
        nothing of the shard is written.
    """
    with workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, plan.model, plan.version)
        if plan.by_rule:
            _require_rule(transaction, plan)
        else:
            require_signed(transaction, version, at=now())
    spec = workspace.spec(version.spec_digest)
    scorer = scorer_of(workspace, version, by_rule=plan.by_rule)
    scored = score_shard(
        workspace.warehouse_url,
        # What is known does not depend on the cut: each shard knows what the check has counted.
        scorer.query(shard.period, as_of=plan.period.end),
        model=spec.model,
        schema=spec.content.deploy.output_schema,
        key=spec.content.develop.key,
        time=spec.content.develop.time,
        batch=plan.batch,
        shard=shard.shard,
        version=plan.model_version,
        threshold=spec.content.deploy.threshold,
        encoder=scorer.encoder,
        predict=scorer.predict,
    )
    return Scored(
        batch=plan.batch,
        shard=shard.shard,
        rows=scored.rows,
        unseen=dict(scored.unseen),
        snapshot=scored.state.snapshot,
        lsn=scored.state.lsn,
    )


def _require_rule(transaction: Transaction, plan: Plan) -> None:
    """Refuse unless the rule of the plan's version is what scores now."""
    choice = choose(transaction, plan.model, at=now())
    if not choice.by_rule or choice.version is None or choice.version.number != plan.version:
        raise NotSigned(
            f"batch {plan.batch}",
            found="a plan of the rule, which is not what scores now",
            expected="the safe state that the policy names",
            action="clear the task 'check_input', which plans the window anew",
        )
