"""Our own tables, all in one module and one schema.

Facts are only ever inserted: a deployment ends where the next one begins, a monitor result that
is measured again with more labels is a row of its own. So the state as of any past moment is a
query, and a row that was edited shows against its ledger entry.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mlops.spec.policy import Policy

SCHEMA = "mlops"

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables stand in schema ``mlops``; text is text, times have a zone, JSON is JSONB."""

    metadata = MetaData(schema=SCHEMA, naming_convention=_NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own way of saying it)
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class SpecRow(Base):
    """A spec as it was registered, with the text of its SQL."""

    __tablename__ = "spec"
    digest: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    criteria_digest: Mapped[str]
    # Kept as it was written: JSONB would reorder features and rewrite numbers, and the digest is
    # taken over both.
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    registered_at: Mapped[datetime]


class SnapshotRow(Base):
    """Rows frozen for training: one Parquet file, kept under its SHA-256."""

    __tablename__ = "snapshot"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    spec_digest: Mapped[str] = mapped_column(ForeignKey(SpecRow.digest))
    sha256: Mapped[str]
    rows: Mapped[int]
    bytes: Mapped[int]
    train_start: Mapped[datetime]
    test_start: Mapped[datetime]
    test_end: Mapped[datetime]
    query: Mapped[str]
    columns: Mapped[list[Any]]
    summary: Mapped[dict[str, Any]]
    taken_at: Mapped[datetime]


class CheckRow(Base):
    """The checks of a snapshot or of a batch's input; passed ones are kept as well.

    Data that was mended and checked again has another outcome, and so a row of its own.
    """

    __tablename__ = "check_result"
    digest: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(index=True)
    passed: Mapped[bool]
    checks: Mapped[list[Any]]
    checked_at: Mapped[datetime]


class TrainingRow(Base):
    """All candidates fitted on one snapshot, losers too, and the chosen one's bytes."""

    __tablename__ = "training"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    spec_digest: Mapped[str] = mapped_column(ForeignKey(SpecRow.digest))
    snapshot_id: Mapped[str] = mapped_column(ForeignKey(SnapshotRow.id))
    criteria_digest: Mapped[str]
    candidates: Mapped[list[Any]]
    chosen: Mapped[str]
    model_sha256: Mapped[str]
    encoder: Mapped[dict[str, Any]]
    code: Mapped[dict[str, Any]]
    trained_at: Mapped[datetime]


class ValidationRow(Base):
    """What validation measured, gate by gate; the verdict is recorded before it is raised."""

    __tablename__ = "validation"
    training_id: Mapped[str] = mapped_column(ForeignKey(TrainingRow.id), primary_key=True)
    champion: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    evaluation: Mapped[dict[str, Any]]
    gates: Mapped[list[Any]]
    passed: Mapped[bool]
    champion_metrics: Mapped[dict[str, Any] | None]
    validated_at: Mapped[datetime]


class VersionRow(Base):
    """A model version: the bytes that people sign and that scoring runs."""

    __tablename__ = "version"
    model: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    package_digest: Mapped[str]
    training_id: Mapped[str] = mapped_column(ForeignKey(TrainingRow.id))
    champion: Mapped[int]
    spec_digest: Mapped[str] = mapped_column(ForeignKey(SpecRow.digest))
    snapshot_id: Mapped[str] = mapped_column(ForeignKey(SnapshotRow.id))
    criteria_digest: Mapped[str]
    policy: Mapped[dict[str, Any]]
    tier: Mapped[str]
    tier_reason: Mapped[str]
    developer: Mapped[str]
    triggered_by: Mapped[str]
    run: Mapped[dict[str, Any]]
    packaged_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("model", "package_digest"),)

    @property
    def signing_policy(self) -> Policy:
        """The policy as it was when the version was packaged; ``policy`` is the stored JSON."""
        return Policy.model_validate(self.policy, strict=False)


class ReportRow(Base):
    """A report: immutable bytes under their SHA-256."""

    __tablename__ = "report"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    period: Mapped[str]
    location: Mapped[str]
    written_at: Mapped[datetime]


class ApprovalRequestRow(Base):
    """A request for signatures, as it was put before people: one for each try of a gate's task."""

    __tablename__ = "gate"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[int]
    seat: Mapped[str]
    users: Mapped[list[Any]]
    dag_id: Mapped[str]
    run_id: Mapped[str]
    task_id: Mapped[str]
    try_number: Mapped[int]
    triggered_by: Mapped[str]
    asked_at: Mapped[datetime]
    answer_by: Mapped[datetime]
    __table_args__ = (Index(None, "dag_id", "run_id", "task_id"),)


class NoticeRow(Base):
    """A notice that people were sent: one of each kind for each subject."""

    __tablename__ = "notice"
    subject: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    told: Mapped[list[Any]]
    text: Mapped[str]
    told_at: Mapped[datetime]


class ResponseReadRow(Base):
    """The task that asked has read the answer to its request; cleared afterwards, it asks again."""

    __tablename__ = "response_read"
    request: Mapped[str] = mapped_column(ForeignKey(ApprovalRequestRow.id), primary_key=True)
    answer: Mapped[str]
    read_at: Mapped[datetime]


class DecisionRow(Base):
    """An answer of a person at a gate, bound to the digests of what was put before them."""

    __tablename__ = "decision"
    id: Mapped[str] = mapped_column(primary_key=True)
    gate: Mapped[str]
    model: Mapped[str]
    version: Mapped[int]
    seat: Mapped[str]
    answer: Mapped[str]
    user_id: Mapped[str]
    user_name: Mapped[str]
    reason: Mapped[str]
    method: Mapped[str]
    counted: Mapped[bool]
    refusal: Mapped[str]
    package_digest: Mapped[str]
    spec_digest: Mapped[str]
    snapshot_digest: Mapped[str]
    evidence_digest: Mapped[str]
    criteria_digest: Mapped[str]
    run: Mapped[dict[str, Any]]
    decided_at: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    __table_args__ = (Index(None, "model", "version", "seat"),)


class DeploymentRow(Base):
    """A change of the live version; it holds until the model's next one."""

    __tablename__ = "deployment"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    model: Mapped[str]
    version: Mapped[int]
    action: Mapped[str]
    package_digest: Mapped[str]
    reason: Mapped[str]
    actor: Mapped[str]
    run: Mapped[dict[str, Any]]
    valid_from: Mapped[datetime]
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], [VersionRow.model, VersionRow.number]),
        Index(None, "model", "id"),
    )


class ConfirmationRow(Base):
    """A release that found its version live already; ``key`` is that of its deployment."""

    __tablename__ = "confirmation"
    key: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[int]
    run: Mapped[dict[str, Any]]
    confirmed_at: Mapped[datetime]
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], [VersionRow.model, VersionRow.number]),
    )


class RunStartRow(Base):
    """A person who started a run, as Airflow's API server authenticated them.

    A run that was deleted may be started again under its id, by another person.
    """

    __tablename__ = "run_start"
    dag_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    user_name: Mapped[str]
    started_at: Mapped[datetime]


class PlanRow(Base):
    """A window as it was read for scoring: what scores it, its rows, and how they are cut.

    ``generation`` is how the warehouse names the batch: the batch's name, with ``#2``, ``#3`` and
    so on behind it for later readings of other rows. ``content`` is a digest of what gives the
    scores. ``parts`` are the files of the window's rows, ``profile`` what was counted in them, and
    ``reading`` names the row about the tables that they come from.
    """

    __tablename__ = "plan"
    digest: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    batch: Mapped[str]
    generation: Mapped[str]
    content: Mapped[str]
    package_digest: Mapped[str]
    by_rule: Mapped[bool]
    window: Mapped[str]
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    rows: Mapped[int]
    shards: Mapped[int]
    parts: Mapped[list[Any]]
    profile: Mapped[dict[str, Any]]
    reading: Mapped[str] = mapped_column(ForeignKey("mlops.reading.digest"))
    run: Mapped[dict[str, Any]]
    chosen_at: Mapped[datetime]
    planned_at: Mapped[datetime]
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], [VersionRow.model, VersionRow.number]),
        Index(None, "batch"),
    )

    @property
    def number(self) -> int:
        """Which generation of its batch it is, from 1."""
        return generation_number(self.generation)

    @property
    def model_version(self) -> int:
        """What the predictions name as their version: 0 where no version made them."""
        return 0 if self.by_rule else self.version


def generation_number(name: str) -> int:
    """The number behind a batch's name; 1 without one."""
    return int(name.partition("#")[2] or 1)


class BatchRow(Base):
    """A published scoring batch: which version scored which window.

    A batch that is published again, since its window was read again, is a fact of its own: its
    ``id`` is the batch's name with ``#2``, ``#3`` and so on behind it.
    """

    __tablename__ = "scoring_batch"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    package_digest: Mapped[str]
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    rows: Mapped[int]
    summary: Mapped[dict[str, Any]]
    run: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]

    @property
    def batch(self) -> str:
        """The batch's name: of one window, scored by one version."""
        return self.id.partition("#")[0]

    @property
    def stored_as(self) -> str:
        """The batch's name in the warehouse, where earlier versions had one for all its rows."""
        return str(self.summary.get("generation") or self.batch)

    @property
    def by_rule(self) -> bool:
        """Whether the rule scored that was signed with the version, and not its model."""
        return bool(self.summary.get("by_rule"))


class MeasurementRow(Base):
    """What was measured about one version in one window, before anybody judged it.

    Measured again with other labels, it is a row of its own.
    """

    __tablename__ = "measurement"
    digest: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    model: Mapped[str]
    version: Mapped[int]
    batch: Mapped[str] = mapped_column(ForeignKey(BatchRow.id))
    content: Mapped[dict[str, Any]]
    measured_at: Mapped[datetime]
    __table_args__ = (Index(None, "model", "version"),)


class MonitorRow(Base):
    """The verdict on one measurement."""

    __tablename__ = "monitor_result"
    measurement: Mapped[str] = mapped_column(ForeignKey(MeasurementRow.digest), primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    model: Mapped[str]
    version: Mapped[int]
    batch: Mapped[str] = mapped_column(ForeignKey(BatchRow.id))
    period: Mapped[str]
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    state: Mapped[str]
    result: Mapped[dict[str, Any]]
    judged_at: Mapped[datetime]
    __table_args__ = (Index(None, "model", "version", "window_start"),)


class CaseRow(Base):
    """A finding with an owner; one for each cause."""

    __tablename__ = "case"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    cause: Mapped[str]
    severity: Mapped[str]
    owner: Mapped[str]
    finding: Mapped[str]
    opened_at: Mapped[datetime]


class ReadingRow(Base):
    """What a query read from the warehouse: which tables, as of which state, and column by column.

    ``subject`` is the snapshot's id or the batch that the rows were read for.
    """

    __tablename__ = "reading"
    digest: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(index=True)
    model: Mapped[str] = mapped_column(index=True)
    content: Mapped[dict[str, Any]]
    read_at: Mapped[datetime]


class LineageEventRow(Base):
    """A finished OpenLineage event: the outbox, written with the fact that it describes.

    ``seq`` is the number of the fact's ledger entry, which carries a digest of what they state;
    ``body`` is kept as the text that is sent.
    """

    __tablename__ = "lineage_event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run_id: Mapped[str] = mapped_column(index=True)
    job: Mapped[str] = mapped_column(index=True)
    stream: Mapped[str]
    stage: Mapped[str]
    body: Mapped[str]


class LineageDeliveryRow(Base):
    """What became of sending an event; only ever inserted, so that an outage can be read off.

    ``outcome``: ``delivered``, ``refused`` (and sent again next time), ``through`` (all events up
    to ``seq`` have arrived), ``reset`` (the destination was found empty: all are sent again) or
    ``verified`` (it was compared with the outbox and agrees).
    """

    __tablename__ = "lineage_delivery"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    destination: Mapped[str]
    seq: Mapped[int]
    position: Mapped[int]
    outcome: Mapped[str]
    detail: Mapped[str]
    at: Mapped[datetime]
    __table_args__ = (Index(None, "destination", "seq", "position"),)


# Rows that are not facts: the events that describe them, what was delivered where, and settings.
NOT_FACTS = frozenset({"ledger", "ledger_guard", "lineage_event", "lineage_delivery"})


class LedgerGuardRow(Base):
    """The one row that each writer of the ledger locks, and what the database asks of entries.

    ``api_roles``: the database roles of API servers, which alone may append approvals; while it is
    empty, each role that may append may append them. Only the owner can change or lock the row;
    the others call ``mlops.lock_ledger()``, for which they need a grant.
    """

    __tablename__ = "ledger_guard"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    api_roles: Mapped[list[Any]]


class LedgerRow(Base):
    """One entry of the append-only, hash-chained ledger.

    ``payload`` is canonical JSON kept as text, since its digest is taken over these very bytes.
    """

    __tablename__ = "ledger"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(index=True)
    payload: Mapped[str]
    prev_digest: Mapped[str]
    digest: Mapped[str]
