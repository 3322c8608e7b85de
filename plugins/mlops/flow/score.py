"""Deploy: stream a shard through the signed model, or its rule, and write the predictions back."""

from __future__ import annotations

from functools import partial

from mlops.core.estimator import positive_scores
from mlops.flow.check_input import scoring_query
from mlops.flow.live import Predict, live_package, naming_the_model
from mlops.flow.plan import Plan, Scored, Shard
from mlops.flow.rule import RuleEncoder, require_rule, rule_query, scores_of
from mlops.flow.signatures import require_signed
from mlops.flow.workspace import Workspace, now
from mlops.store.tables import VersionRow
from mlops.warehouse.score import Encoder, score_shard


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
        if not plan.by_rule:
            require_signed(transaction, version, at=now())
    spec = workspace.spec(version.spec_digest)
    develop, deploy = spec.content.develop, spec.content.deploy
    encoder: Encoder
    predict: Predict
    if plan.by_rule:
        require_rule(workspace, plan)
        query = rule_query(spec, shard.period)
        encoder, predict = RuleEncoder(), scores_of
    else:
        package = live_package(workspace, version)
        query = scoring_query(spec, shard.period)
        encoder = package.contents.encoder
        # Scores that are no numbers are looked for where the rows' keys are known.
        predict = naming_the_model(partial(positive_scores, package.estimator), version)
    scored = score_shard(
        workspace.warehouse_url,
        query,
        model=spec.model,
        schema=deploy.output_schema,
        key=develop.key,
        time=develop.time,
        batch=plan.batch,
        shard=shard.shard,
        version=plan.model_version,
        threshold=deploy.threshold,
        encoder=encoder,
        predict=predict,
    )
    return Scored(
        batch=plan.batch,
        shard=shard.shard,
        rows=scored.rows,
        unseen=dict(scored.unseen),
        snapshot=scored.state.snapshot,
        lsn=scored.state.lsn,
    )
