"""Manage: the spec is complete, its SQL and its policy hold, and it is registered."""

from __future__ import annotations

from mlops.errors import SpecError
from mlops.flow.queries import SCORE
from mlops.lineage.events.develop import spec_registered
from mlops.spec.load import Include, Spec, require_rule, tier_of
from mlops.spec.signatories import require_signatories
from mlops.store.tables import SpecRow
from mlops.vocabulary import LedgerAction, spec_subject
from mlops.warehouse.base import WHOLE_LIFE, require_capabilities
from mlops.warehouse.dialect import Dialect
from mlops.workspace.results import Intake
from mlops.workspace.workspace import Workspace, now


def intake(workspace: Workspace, *, model: str) -> Intake:
    """Register the model's spec with the acceptance criteria that its versions must reach.

    :raises SpecError: the spec, its SQL or its policy is wrong; nothing is registered.
    :raises CapabilityMissing: the warehouse cannot hold predictions or outcomes.
    """
    require_capabilities(workspace.warehouse, WHOLE_LIFE)
    spec = workspace.include.spec(model)
    check_sql(workspace.include, spec, workspace.warehouse.dialect)
    policy = workspace.include.policy(spec.content.deploy.policy)
    tier = tier_of(spec.content, policy)
    require_rule(spec.content, policy)
    require_signatories(spec.content, policy, tier)
    row = SpecRow(
        digest=spec.digest,
        model=model,
        criteria_digest=spec.criteria_digest,
        content=spec.to_json(),
        registered_at=now(),
    )
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.SPEC_REGISTERED,
            subject=spec_subject(model, spec.digest),
            payload={"spec": spec.digest, "criteria": spec.criteria_digest, "tier": tier.name},
            lineage=workspace.emit(
                spec_registered(workspace.origin, row, file=str(workspace.include.spec_file(model)))
            ),
        )
    return Intake(
        model=model,
        spec_digest=spec.digest,
        criteria_digest=spec.criteria_digest,
        tier=tier.name,
        seats=tier.seats,
    )


def check_sql(include: Include, spec: Spec, dialect: Dialect) -> None:
    """Check each SQL file of a spec without a database.

    :raises SpecError: with a line for each file that does not parse, is not one SELECT, or lacks
        a named column.
    """
    develop, kpi = spec.content.develop, spec.content.manage.kpi
    features = (develop.key, develop.time, *develop.features)
    roles = (
        (develop.features_sql, features),
        (develop.outcomes_sql, (develop.key, develop.label)),
        (kpi.sql, ("value",)),
        (spec.content.deploy.scoring_sql, features),
        (spec.content.deploy.rule_sql, (develop.key, develop.time, SCORE)),
    )
    # One file may have several roles, and then needs the columns of each.
    needed: dict[str, dict[str, None]] = {}
    for name, columns in roles:
        if name is not None:
            needed.setdefault(name, {}).update(dict.fromkeys(columns))
    folder = include.root / "sql" / spec.model
    problems: list[str] = []
    for name, named in needed.items():
        try:
            dialect.check(spec.sql[name], named, folder / name)
        except SpecError as error:
            problems.append(str(error))
    if problems:
        raise SpecError("\n".join(problems))
