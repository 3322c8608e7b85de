"""Deploy: what will be scored, by which version, and whether its rows may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from mlops.core.checks import DataSummary, all_passed, check_contract
from mlops.core.period import Period
from mlops.core.profiles import Profile
from mlops.core.records import Check
from mlops.core.window import WindowCounter
from mlops.digests import digest_json
from mlops.flow.check_data import record_checks
from mlops.flow.choose import choose_to_score
from mlops.flow.columns import prefix_errors, require_columns, types_of
from mlops.flow.plans import record_plan
from mlops.flow.publications import (
    generation_after,
    lock_window,
    plans_of_window,
    publications,
)
from mlops.flow.queries import prediction_table
from mlops.flow.scorer import Scorer, scorer_of
from mlops.flow.source_access import Reading, record_reading, source_access
from mlops.lineage.events.deploy import input_checked
from mlops.spec.load import Spec
from mlops.store.tables import BatchRow, PlanRow, ReadingRow, VersionRow
from mlops.vocabulary import batch_subject
from mlops.warehouse.parts import Materialised, materialise
from mlops.warehouse.records import BATCH_ROWS
from mlops.workspace.results import Planned
from mlops.workspace.workspace import Workspace, now


def check_input(
    workspace: Workspace,
    *,
    model: str,
    window: Period,
    shards: int = 1,
    part_rows: int = BATCH_ROWS,
) -> Planned:
    """Read the window's rows once, check them, and record the plan of their scoring.

    The rows are kept in the artifact store, and nothing reads the customer's query for them again:
    what was checked is what is scored. Where nothing changed since the window was read last, it is
    the same batch; otherwise it is a new generation of the whole batch.

    :param shards: how many tasks score the window's parts side by side.
    :param part_rows: rows of each part.

    :raises NoDecision: the model was stopped, or no version's signatures hold, and its policy names
        nothing to fall back to; the task is skipped.
    :raises DataRefused: the schema changed since training, keys repeat, or the rows break the
        contract; all checks are recorded first.
    """
    chosen = choose_to_score(workspace, model)
    version = chosen.version
    spec = workspace.spec(version.spec_digest)
    batch = batch_subject(model, window.label(), version.number, by_rule=chosen.by_rule)
    scorer = scorer_of(workspace, version, by_rule=chosen.by_rule)
    query = scorer.query(window)
    with prefix_errors(f"{batch}: {scorer.file}"):
        columns = types_of(workspace.warehouse.describe(query))
        require_columns(columns, (spec.content.develop.key, spec.content.develop.time))
    job = _WindowReading(workspace, batch, version, spec, scorer, window)
    rows, profile, known = job.read(query, columns, part_rows)
    workspace.warehouse.ensure_tables(
        prediction_table(spec), key_type=columns[spec.content.develop.key]
    )
    digests = [part.sha256 for part in rows.parts]
    plan = PlanRow(
        model=model,
        version=version.number,
        batch=batch,
        content=digest_json([batch, version.package_digest, shards, digests]),
        package_digest=version.package_digest,
        by_rule=chosen.by_rule,
        window=window.label(),
        window_start=window.start,
        window_end=window.end,
        rows=rows.rows,
        shards=shards,
        parts=[asdict(part) for part in rows.parts],
        profile=profile.to_json(),
        reading=known.digest,
        chosen_at=chosen.at,
        planned_at=now(),
    )
    recorded = _plan(workspace, spec, plan)
    return Planned(
        plan=recorded.digest, batch=recorded.generation, rows=recorded.rows, shards=shards
    )


@dataclass(frozen=True)
class _WindowReading:
    """The one reading of a window's rows."""

    workspace: Workspace
    batch: str
    version: VersionRow
    spec: Spec
    scorer: Scorer
    window: Period

    def read(
        self, query: str, columns: dict[str, str], part_rows: int
    ) -> tuple[Materialised, Profile, ReadingRow]:
        """Read, count and check the rows; keep those that are not refused."""
        changes = self.scorer.changes(columns)
        access = source_access(self.workspace, query)
        if changes and not all_passed(changes):
            self._record(access, changes)
        with self.workspace.scratch() as folder:
            with prefix_errors(self.batch):
                rows, profile, summary = self._materialise(query, folder, part_rows)
            checks = check_contract(
                summary,
                features=self.scorer.features,
                contract=self.spec.content.develop.contract,
                window_end=self.window.end,
                target=None,
                min_rows=self.spec.content.deploy.min_rows,
            )
            digests = [part.sha256 for part in rows.parts]
            known = self._record(
                access.in_state(rows.state), (*changes, *checks), rows=digest_json(digests)
            )
            for digest in dict.fromkeys(digests):
                self.workspace.artifacts.put_file(folder / digest, digest)
        return rows, profile, known

    def _materialise(
        self, query: str, folder: Path, part_rows: int
    ) -> tuple[Materialised, Profile, DataSummary]:
        """Read the rows into files in the order of their key, and count them in the same pass."""
        develop, dialect = self.spec.content.develop, self.workspace.warehouse.dialect
        counter = WindowCounter(
            key=develop.key,
            time=develop.time,
            edges=self.scorer.edges,
            categories=self.scorer.categories,
        )
        needed = tuple(dict.fromkeys((develop.key, develop.time, *self.scorer.features)))
        rows = materialise(
            self.workspace.warehouse,
            dialect.ordered(query, (develop.key,), only=needed),
            folder,
            on_batch=counter.update,
            batch_rows=part_rows,
        )
        return rows, *counter.result()

    def _record(self, access: Reading, checks: tuple[Check, ...], *, rows: str = "") -> ReadingRow:
        """Record what was read and how it was checked; refuse the rows if a check failed.

        :param rows: digest of the rows.
        """
        workspace, batch, version, spec = self.workspace, self.batch, self.version, self.spec
        with workspace.store.transaction() as transaction:
            known = record_reading(
                transaction, workspace, access, subject=batch, model=version.model, rows=rows
            )
        record_checks(
            workspace,
            f"{batch}/input",
            checks,
            runs_of=lambda row: input_checked(workspace.origin, row, batch, version, spec, known),
        )
        return known


def _plan(workspace: Workspace, spec: Spec, plan: PlanRow) -> PlanRow:
    """Record the plan, of the batch's last generation if nothing changed since."""
    with workspace.store.transaction() as transaction:
        lock_window(transaction, plan.model, plan.window)
        plans = plans_of_window(transaction, plan)
        known = publications(transaction, plan.model, plan.window_start, plan.window_end)
        last = plans[-1] if plans else None
        if (
            last is not None
            and last.content == plan.content
            and _is_whole(workspace, spec, last, known)
        ):
            plan.generation = last.generation
        else:
            plan.generation = generation_after(plan, plans, known)
        return record_plan(transaction, workspace, plan)


def _is_whole(workspace: Workspace, spec: Spec, plan: PlanRow, known: list[BatchRow]) -> bool:
    """Whether what was published of a plan, if anything, is what applications see."""
    published = next((row for row in known if row.id == plan.generation), None)
    if published is None:
        return True
    stored = workspace.warehouse.stored_batches(prediction_table(spec), batches=[plan.generation])
    return any(batch.shown and batch.content == published.summary["content"] for batch in stored)
