"""Deploy: what will be scored, by which version, and whether its rows may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops.core.checks import all_passed, check_contract
from mlops.core.period import Period, split
from mlops.core.profiles import Profile
from mlops.core.records import Check
from mlops.digests import digest_json
from mlops.errors import NoDecision
from mlops.flow.check_data import record_checks
from mlops.flow.columns import prefix_errors, types_of
from mlops.flow.deployments import require_live_version
from mlops.flow.fallback import choose_version
from mlops.flow.queries import prediction_table
from mlops.flow.scorer import scorer_of
from mlops.flow.source_access import Reading, record_reading, source_access
from mlops.lineage.events.deploy import input_checked
from mlops.spec.load import Spec
from mlops.store.tables import CaseRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import CONTROL_PHASE, LedgerAction, case_subject, model_dag_id
from mlops.workspace.plan import Plan, batch_name
from mlops.workspace.workspace import Workspace, now, registered_spec


def check_input(workspace: Workspace, *, model: str, window: Period, shards: int = 1) -> Plan:
    """Check the live version's signatures and the window's rows, and plan its shards.

    :param shards: how many parts of the window are scored side by side.

    :raises NoDecision: the model was stopped, or no version's signatures hold, and its policy names
        nothing to fall back to; the task is skipped.
    :raises DataRefused: the schema changed since training, keys repeat, or the rows break the
        contract; all checks are recorded first.
    """
    chosen = choose_to_score(workspace, model)
    version = chosen.version
    spec = workspace.spec(version.spec_digest)
    batch = batch_name(version, window, by_rule=chosen.by_rule)
    scorer = scorer_of(workspace, version, by_rule=chosen.by_rule)
    query = scorer.query(window)
    with prefix_errors(f"{batch}: {scorer.file}"):
        columns = types_of(workspace.warehouse.describe(query))
    changes = scorer.changes(columns)
    read = source_access(workspace, query)
    if changes and not all_passed(changes):
        _record(workspace, batch, version, spec, read, changes)
    with prefix_errors(batch):
        profile = scorer.profile(window)
        keys = workspace.warehouse.count_keys(
            query, spec.content.develop.key, time=spec.content.develop.time
        )
    checks = check_contract(
        profile.summary(newest=keys.newest, key_duplicates=keys.rows - keys.distinct),
        features=scorer.features,
        contract=spec.content.develop.contract,
        window_end=window.end,
        target=None,
        min_rows=spec.content.deploy.min_rows,
    )
    _record(workspace, batch, version, spec, read, (*changes, *checks), profile)
    _ensure_output(workspace, spec, columns)
    return _plan(batch, chosen, window, profile, shards)


def _record(
    workspace: Workspace,
    batch: str,
    version: VersionRow,
    spec: Spec,
    read: Reading,
    checks: tuple[Check, ...],
    profile: Profile | None = None,
) -> None:
    """Record what was read and how it was checked; refuse the rows if a check failed."""
    rows = digest_json(profile.to_json()) if profile else ""
    with workspace.store.transaction() as transaction:
        known = record_reading(
            transaction, workspace, read, subject=batch, model=version.model, rows=rows
        )
    record_checks(
        workspace,
        f"{batch}/input",
        checks,
        runs_of=lambda row: input_checked(workspace.origin, row, batch, version, spec, known),
    )


@dataclass(frozen=True)
class ToScore:
    """What scores a window.

    :ivar by_rule: whether it is the rule that was signed with the version, not its model.
    :ivar at: when that was found, by the store's clock.
    """

    version: VersionRow
    by_rule: bool
    at: datetime


def choose_to_score(workspace: Workspace, model: str) -> ToScore:
    """The live version, or what its policy falls back to.

    Signatures that are no longer valid open a case for the business owner, also when the rule
    scores.

    :raises NoDecision: nothing is to be scored.
    :raises RecordMissing: nothing was ever deployed.
    """
    with workspace.store.transaction() as transaction:
        live = require_live_version(transaction, model)
        choice = choose_version(transaction, model, at=now())
        at = transaction.clock()
        if choice.owed:
            _open_case(transaction, workspace, live, choice.reason)
    if choice.version is None:
        raise NoDecision(
            f"{model} scores nothing",
            found=choice.reason,
            action=f"resume it or roll it back with {model_dag_id(model, CONTROL_PHASE)}, "
            "or release a version",
        )
    return ToScore(choice.version, choice.by_rule, at)


def _open_case(
    transaction: Transaction, workspace: Workspace, live: VersionRow, reason: str
) -> None:
    owner = registered_spec(transaction, live.spec_digest).content.manage.business_owner
    identity = case_subject(live.model, live.number, "signature")
    row = CaseRow(
        id=identity,
        model=live.model,
        version=live.number,
        cause="signature",
        severity="alarm",
        owner=owner,
        finding=reason,
        opened_at=now(),
    )
    transaction.record(
        row,
        actor=workspace.run.actor,
        action=LedgerAction.CASE_OPENED,
        subject=identity,
        payload={"owner": owner, "finding": reason},
    )


def _ensure_output(workspace: Workspace, spec: Spec, columns: dict[str, str]) -> None:
    workspace.warehouse.ensure_tables(
        prediction_table(spec), key_type=columns[spec.content.develop.key]
    )


def _plan(batch: str, chosen: ToScore, window: Period, profile: Profile, shards: int) -> Plan:
    version = chosen.version
    return Plan(
        batch=batch,
        model=version.model,
        version=version.number,
        package_digest=version.package_digest,
        window=window.label(),
        window_start=window.start.isoformat(),
        window_end=window.end.isoformat(),
        rows=profile.rows,
        unseen={name: count for name, count in profile.unseen().items() if count},
        parts=len(split(window, shards)),
        by_rule=chosen.by_rule,
        chosen_at=chosen.at.isoformat(),
    )
