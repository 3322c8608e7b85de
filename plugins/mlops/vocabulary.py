"""The words that are stored: ledger actions, subjects, answers, names of DAGs and reports.

Each of these is written into the store, into lineage or into Airflow, and is read again years
later: a value here is never changed, and one that is no longer written is still read.
"""

from __future__ import annotations

from enum import StrEnum


class LedgerAction(StrEnum):
    """What a ledger entry records. ``docs/ledger.md`` explains each to an auditor."""

    SPEC_REGISTERED = "spec.registered"
    SOURCE_READ = "source.read"
    SNAPSHOT_TAKEN = "snapshot.taken"
    DATA_CHECKED = "data.checked"
    MODEL_TRAINED = "model.trained"
    MODEL_VALIDATED = "model.validated"
    VERSION_PACKAGED = "version.packaged"
    REPORT_WRITTEN = "report.written"

    SIGNATURE_REQUESTED = "signature.requested"
    REMINDER_SENT = "gate.reminder"
    ESCALATION_SENT = "gate.escalation"
    LAPSE_NOTICE_SENT = "gate.lapsed"
    SIGNATURE_GIVEN = "signature.given"
    SIGNATURE_REFUSED = "signature.refused"
    SIGNATURE_REJECTED = "signature.rejected"
    SIGNATURE_REVOKED = "signature.revoked"
    SEAT_LAPSED = "seat.lapsed"
    RESPONSE_READ = "signature.read"
    SEATS_REASSIGNED = "seats.reassigned"

    KEY_REGISTERED = "key.registered"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"

    VERSION_DEPLOYED = "version.deployed"
    VERSION_CONFIRMED = "version.confirmed"
    VERSION_ROLLED_BACK = "version.rolled_back"
    MODEL_STOPPED = "model.stopped"
    MODEL_RESUMED = "model.resumed"
    RUN_STARTED = "run.started"
    TASK_MARKED_SUCCESS = "task.mark_success"
    TASK_MARKED_FAILED = "task.mark_failed"
    TASK_MARKED_SKIPPED = "task.mark_skipped"

    WINDOW_PLANNED = "window.planned"
    INPUTS_REMOVED = "inputs.removed"
    BATCH_PUBLISHED = "batch.published"
    WINDOW_MEASURED = "window.measured"
    WINDOW_JUDGED = "window.judged"
    CASE_OPENED = "case.opened"


# A digest inside a subject is cut to so many characters; the payload has all of it.
_DIGEST_CHARACTERS = 12


def version_subject(model: str, number: int) -> str:
    """A version of a model: ``flight_delay/v3``."""
    return f"{model}/v{number}"


def spec_subject(model: str, digest: str) -> str:
    """A registered spec: ``flight_delay/spec/2f0c77a1b9de``."""
    return f"{model}/spec/{digest[:_DIGEST_CHARACTERS]}"


def snapshot_subject(model: str, snapshot_id: str) -> str:
    """A snapshot: ``flight_delay/snapshot/2f0c77a1b9de``."""
    return f"{model}/snapshot/{snapshot_id[:_DIGEST_CHARACTERS]}"


def training_subject(model: str, training_id: str) -> str:
    """A training with its validations: ``flight_delay/training/2f0c77a1b9de``."""
    return f"{model}/training/{training_id[:_DIGEST_CHARACTERS]}"


def batch_subject(model: str, window: str, number: int, *, by_rule: bool) -> str:
    """One window scored by one version: ``flight_delay/2013-07/v3``, or with ``/rule`` behind.

    It is also the batch's name in the warehouse.
    """
    return f"{model}/{window}/v{number}" + ("/rule" if by_rule else "")


def case_subject(model: str, number: int, cause: str) -> str:
    """A case about a version: ``flight_delay/v3/drift``."""
    return f"{version_subject(model, number)}/{cause}"


def key_subject(fingerprint: str) -> str:
    """A key that signs approvals: ``key/2f0c77a1b9de``."""
    return f"key/{fingerprint[:_DIGEST_CHARACTERS]}"


def run_subject(dag_id: str, run_id: str) -> str:
    """A run of a DAG: ``flight_delay_control/manual__2013-08-01``."""
    return f"{dag_id}/{run_id}"


def task_subject(dag_id: str, run_id: str, task_id: str) -> str:
    """A task of a run: ``flight_delay_release/manual__2013-08-01/deploy``."""
    return f"{run_subject(dag_id, run_id)}/{task_id}"


def reassignment_subject(user: str, successor: str) -> str:
    """A hand-over of seats: ``bea to zoe``."""
    return f"{user} to {successor}"


# What a person can answer to an approval request, in the words of the buttons.
APPROVE = "Approve"
# The conditions are in the reason; people see to it that they are kept.
APPROVE_WITH_CONDITIONS = "Approve with conditions"
REJECT = "Reject"
REVOKE = "Revoke"
# What is recorded where no person answers in time.
LAPSE = "Lapse"
APPROVALS = (APPROVE, APPROVE_WITH_CONDITIONS)

# How a decision arrived (``decision.method``).
REQUIRED_ACTION = "required_action"
MARK_SUCCESS = "mark_success"
MARK_FAILED = "mark_failed"
MARK_SKIPPED = "mark_skipped"
API = "api"
TIMEOUT = "timeout"

# What changed the live version (``deployment.action``), and the other action of the control DAG.
DEPLOY = "deploy"
ROLLBACK = "rollback"
STOP = "stop"
RESUME = "resume"
REVOKE_SIGNATURE = "revoke"

# The kinds of notices (``notice.kind``).
REMINDER = "reminder"
ESCALATION = "escalation"
LAPSED = "lapsed"

# The kinds of reports that the library itself writes (``report.kind``).
VALIDATION_REPORT = "validation"
MONITORING_REPORT = "monitoring"

# The DAGs of a model by the phase that each one runs, and the one DAG of all models.
RELEASE_PHASE = "release"
SCORE_PHASE = "score"
MONITOR_PHASE = "monitor"
CONTROL_PHASE = "control"
GOVERNANCE_DAG = "mlops_governance"


def model_dag_id(model: str, phase: str) -> str:
    """The id of a model's DAG: ``flight_delay_release``."""
    return f"{model}_{phase}"
