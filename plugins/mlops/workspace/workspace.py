"""What every step is given: our store, the artifacts, the customer's data, and who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlops.core.records import to_json
from mlops.errors import StoreError
from mlops.lineage.events.datasets import DatasetNames
from mlops.lineage.events.origin import Origin
from mlops.lineage.events.run import GovernedRuns
from mlops.spec.load import Include, Spec
from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from mlops.store.tables import SpecRow
from mlops.store.transaction import Transaction
from mlops.trust import NoSigner, Signer
from mlops.warehouse.port import Warehouse


def now() -> datetime:
    """The present, in UTC. Facts carry it; identities never do."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class RunIdentity:
    """Which task asks, and who started its run."""

    dag_id: str
    run_id: str
    task_id: str
    try_number: int = 1
    map_index: int = -1
    triggered_by: str = ""

    @property
    def actor(self) -> str:
        """How the ledger names a task: ``task:flight_delay_release.train``."""
        return f"task:{self.dag_id}.{self.task_id}"

    def to_json(self) -> dict[str, Any]:
        """The identity as plain JSON."""
        return to_json(self)


@dataclass(frozen=True)
class Workspace:
    """The places that a step works with.

    :param warehouse: the customer's data.
    :param run: who asks.
    :param job_namespace: of our jobs in the lineage.
    :param canonical: for ``host:port`` as connections spell it, the one that the lineage names.
    :param signer: what signs approvals; only the API server has a key.
    :param emitted: the governed runs that the steps of this workspace have emitted so far.
    :param started: when the step began; None where a workspace serves many steps.
    """

    store: Store
    artifacts: Artifacts
    include: Include
    warehouse: Warehouse
    run: RunIdentity
    job_namespace: str = "mlops"
    canonical: Mapping[str, str] = field(default_factory=dict)
    signer: Signer | NoSigner = field(default_factory=NoSigner, repr=False)
    emitted: list[GovernedRuns] = field(default_factory=list, repr=False, compare=False)
    started: datetime | None = field(default=None, compare=False)

    @property
    def names(self) -> DatasetNames:
        """How the lineage names things."""
        return DatasetNames(
            warehouse=self.warehouse.address,
            store_place=self.store.place,
            canonical=self.canonical,
        )

    @property
    def origin(self) -> Origin:
        """What the lineage events of this step come from."""
        return Origin(
            names=self.names,
            namespace=self.job_namespace,
            run=self.run.to_json(),
            started=self.started,
        )

    def emit(self, runs: GovernedRuns) -> GovernedRuns:
        """Keep a step's runs for Airflow's own lineage of the task, and return them.

        A step that finds its fact recorded already emits the runs of that fact all the same.
        """
        self.emitted.append(runs)
        return runs

    def spec(self, digest: str) -> Spec:
        """The spec as it was registered, even if its file has changed since."""
        with self.store.transaction() as transaction:
            return registered_spec(transaction, digest)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private folder that is removed afterwards, also after an error."""
        with TemporaryDirectory(prefix="mlops-") as folder:
            yield Path(folder)


def registered_spec(transaction: Transaction, digest: str) -> Spec:
    """Read a registered spec inside a transaction.

    :raises StoreError: the row is not what was registered: criteria cannot be changed afterwards.
    """
    spec = Spec.from_json(transaction.get(SpecRow, digest).content)
    if spec.digest != digest:
        raise StoreError(
            f"the registered spec of {spec.model} was changed after its registration",
            found=f"content with sha256 {spec.digest}",
            expected=f"sha256 {digest}",
            action="run: python -m mlops ledger verify; then register the spec with a new release",
        )
    return spec
