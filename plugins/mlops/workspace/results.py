"""What the steps hand on: small frozen records of ids, digests and a few numbers.

They are the values of Airflow's XComs; rows and models never are. Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Intake:
    """The spec that the whole run goes by."""

    model: str
    spec_digest: str
    criteria_digest: str
    tier: str
    seats: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """Rows that will never change again."""

    snapshot_id: str
    sha256: str
    rows: int
    train_start: str
    test_start: str
    test_end: str


@dataclass(frozen=True)
class Checked:
    """How many checks were made; a task that returns this has passed them all."""

    snapshot_id: str
    checks: int


@dataclass(frozen=True)
class Training:
    """All candidates, and the one that did best."""

    training_id: str
    chosen: str
    candidates: int
    measured: float | None


@dataclass(frozen=True)
class Validation:
    """A verdict that was recorded; a task that returns this has passed every gate."""

    training_id: str
    champion: int
    gates: int


@dataclass(frozen=True)
class Packaged:
    """A version: its number for people, its digest for everything else."""

    model: str
    version: int
    package_digest: str
    tier: str


@dataclass(frozen=True)
class Documented:
    """A report: immutable, kept under its SHA-256, with a copy that a person can open."""

    model: str
    version: int
    report_sha256: str
    location: str


@dataclass(frozen=True)
class Decision:
    """An answer as it was recorded.

    ``enough``: the seat is finished, signed or rejected; otherwise ``why`` names what is missing.
    """

    model: str
    version: int
    seat: str
    answer: str
    user: str
    counted: bool
    enough: bool
    why: str


@dataclass(frozen=True)
class Deployed:
    """What this release deployed, and what is live now.

    :ivar version: the release's own; ``replaced``: the one that its deployment replaced, 0 for
        none or where it was live already.
    :ivar live: the version whose deployment is in force, since ``live_since``.
    :ivar superseded: what came after this release's deployment, as a sentence; empty where
        ``version`` is what scores.
    """

    model: str
    version: int
    package_digest: str
    replaced: int
    live: int
    live_since: str
    superseded: str = ""


@dataclass(frozen=True)
class Planned:
    """A window that was read and checked.

    :ivar plan: digest of the recorded plan; later steps read all else there.
    :ivar batch: how the warehouse names the batch.
    """

    plan: str
    batch: str
    rows: int
    shards: int


@dataclass(frozen=True)
class Scored:
    """A shard whose predictions are written."""

    batch: str
    shard: int
    rows: int


@dataclass(frozen=True)
class Published:
    """A batch that applications can read.

    :ivar batch: of this reading of its window; read again with other rows, it is another one.
    """

    batch: str
    model: str
    version: int
    window: str
    rows: int
    view: str


@dataclass(frozen=True)
class Measured:
    """A measurement, by its digest."""

    measurement: str
    batch: str
    rows: int
    labels: int


@dataclass(frozen=True)
class Judged:
    """The verdict, in short."""

    measurement: str
    model: str
    version: int
    window: str
    state: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Controlled:
    """What a person did about a live version."""

    model: str
    action: str
    version: int
    replaced: int
    by: str
    seat: str


@dataclass(frozen=True)
class LedgerVerified:
    """A ledger that is whole: how many entries, and the digest of the last one."""

    entries: int
    head: str
    last: int


@dataclass(frozen=True)
class PredictionsVerified:
    """How many models' views and published batches are as they were recorded."""

    models: int
    batches: int


@dataclass(frozen=True)
class LineageDelivered:
    """Events that reached Marquez in this run, and those that have not reached it yet."""

    delivered: int
    waiting: int


@dataclass(frozen=True)
class LeftoversRemoved:
    """Files that were removed from the artifact folder.

    :ivar files: what tasks which crashed had left.
    :ivar inputs: rows of scored windows that the policies keep no longer.
    """

    files: int
    inputs: int = 0


@dataclass(frozen=True)
class Reviewed:
    """Live models whose review is overdue, and signatures that end soon, a line each."""

    overdue: tuple[str, ...]
    expiring: tuple[str, ...]
