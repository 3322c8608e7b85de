"""Every error that mlops raises on purpose.

    MlopsError
    ├── SpecError              a spec, a policy or an SQL file is wrong
    ├── InstallationError      a foreign package named mlops, or a second copy of this one
    ├── ConnectionUnusable     a connection of Airflow that is not one to Postgres
    ├── StoreError             our own tables
    │   ├── StoreUnreachable     no connection (worth a retry)
    │   ├── StoreTimeout         a time limit of the session was reached (worth a retry)
    │   ├── StoreConflict        two transactions in each other's way (worth a retry)
    │   ├── StoreNotMigrated     `python -m mlops db upgrade` has not run
    │   └── RecordMissing        an id that the store does not know
    ├── ArtifactError          bytes kept under their digest
    │   ├── ArtifactMissing      nothing is kept under this digest
    │   ├── ArtifactChanged      the bytes kept under this digest have another one
    │   └── ArtifactRefused      bytes that we will not construct
    ├── WarehouseError         the customer's data
    │   ├── WarehouseUnreachable no connection (worth a retry)
    │   │   └── WarehouseTimeout   a time limit of the session was reached (worth a retry)
    │   ├── QueryError           SQL that does not run, or lacks a column
    │   │   └── DuplicateKey       rows under a key that others have
    │   ├── NoRows               a query that returned nothing
    │   ├── PredictionsChanged   published predictions, or their view, are not what was recorded
    │   └── CapabilityMissing    something that this kind of warehouse cannot do
    ├── DataRefused            rows that break the contract
    ├── TrainingError          an estimator that cannot be built, fitted or packaged
    ├── GateFailed             a verdict: recorded first, then raised
    ├── PredictionError        scores that cannot be of the target
    ├── SignOffError           who may sign, who has signed
    │   ├── NotSigned            a signature is missing, expired, revoked or of other bytes
    │   └── KeyUnusable          a signing key, or a file of the API server, that cannot be used
    ├── NoDecision             a stopped model: an outcome, the task is skipped
    ├── ExtensionError         what a customer added from outside cannot be used
    └── LineageError           an exchange with a lineage server failed
        └── LineageUnreachable   no answer, or none that counts (worth a retry)

A message names the thing, what was found, what was expected and what to do. ``core`` and the
layers above it raise these; the operators translate them: where ``retryable`` is false, into
``AirflowFailException``, since a second try would end the same way.
"""

from __future__ import annotations

from typing import ClassVar


class MlopsError(Exception):
    """Base of all our errors.

    :param what: the thing that is wrong, by name, as a short clause.
    :param found: what was there.
    :param expected: what should have been there.
    :param action: what the reader can do now.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        found: object = None,
        expected: object = None,
        action: str | None = None,
    ) -> None:
        self.what = what
        self.found = found
        self.expected = expected
        self.action = action
        parts = [what.rstrip(".")]
        if found is not None:
            parts.append(f"found {found}")
        if expected is not None:
            parts.append(f"expected {expected}")
        if action is not None:
            parts.append(f"what to do: {action.rstrip('.')}")
        super().__init__("; ".join(parts) + ".")


class SpecError(MlopsError):
    """A spec, a policy or an SQL file is wrong."""


class InstallationError(MlopsError):
    """A foreign package named ``mlops`` is installed, or a second copy of this one."""


class ConnectionUnusable(MlopsError):
    """A connection that Airflow has, and that cannot be used as a connection to Postgres."""


class StoreError(MlopsError):
    """Our own tables cannot be used as they are."""


class StoreUnreachable(StoreError):
    """No connection to the store."""

    retryable = True


class StoreTimeout(StoreError):
    """A statement took longer than a setting of its session allows; nothing of it was kept."""

    retryable = True


class StoreConflict(StoreError):
    """Postgres ended our transaction for the sake of another one; nothing of it was kept."""

    retryable = True


class StoreNotMigrated(StoreError):
    """The store's schema is missing or of another revision."""


class RecordMissing(StoreError):
    """The store does not know an id."""


class ArtifactError(MlopsError):
    """Bytes kept under their digest cannot be used."""


class ArtifactMissing(ArtifactError):
    """Nothing is kept under this digest."""


class ArtifactChanged(ArtifactError):
    """The bytes under this digest have another digest."""


class ArtifactRefused(ArtifactError):
    """The bytes hold something that we will not construct."""


class WarehouseError(MlopsError):
    """The customer's data cannot be used."""


class WarehouseUnreachable(WarehouseError):
    """No connection to the warehouse."""

    retryable = True


class WarehouseTimeout(WarehouseUnreachable):
    """A statement took longer than a setting of its session allows."""


class QueryError(WarehouseError):
    """SQL that does not run, or that lacks a named column."""


class DuplicateKey(QueryError):
    """SQL that gives a key that other rows have."""


class PredictionsChanged(WarehouseError):
    """Published predictions, or their view, are not what was recorded."""


class NoRows(WarehouseError):
    """A query that returned nothing where rows are needed."""


class CapabilityMissing(WarehouseError):
    """The implementation of the warehouse cannot do what is needed."""


class DataRefused(MlopsError):
    """Rows that break the contract."""


class TrainingError(MlopsError):
    """An estimator that cannot be built, fitted or packaged."""


class GateFailed(MlopsError):
    """A verdict: the recorded result of a gate was 'fail'."""


class PredictionError(MlopsError):
    """A model returned scores that its target cannot have, as NaN, or not one for each row."""


class SignOffError(MlopsError):
    """Who may sign, or who has signed."""


class NotSigned(SignOffError):
    """A signature is missing, expired, revoked, or of other bytes."""


class KeyUnusable(SignOffError):
    """A signing key, or a file that only the API server may read, cannot be used."""


class NoDecision(MlopsError):
    """A model that was stopped, or has no version whose signatures hold: nothing is scored."""


class ExtensionError(MlopsError):
    """What a customer added from outside is missing, broken, or offered twice under one name."""


class LineageError(MlopsError):
    """A name that a lineage server cannot hold, or a question that it refuses."""


class LineageUnreachable(LineageError):
    """The lineage server gave no answer, or none that counts."""

    retryable = True
