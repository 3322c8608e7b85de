"""What all our operators share: ``execute`` is four verbs, and our errors become Airflow's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from mlops.connections import open_workspace
from mlops.errors import MlopsError, NoDecision
from mlops.operators.lineage import EmitsLineage
from mlops.settings import store_conn_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


@contextmanager
def translated() -> Iterator[None]:
    """Turn our errors into Airflow's: a second try is made only where it can help."""
    try:
        yield
    except NoDecision as outcome:
        raise AirflowSkipException(str(outcome)) from outcome
    except MlopsError as error:
        kind = AirflowException if error.retryable else AirflowFailException
        raise kind(f"{type(error).__name__}: {error}") from error


def plain(result: Any) -> dict[str, Any]:
    """A frozen result as the plain JSON that an XCom holds."""
    value: dict[str, Any] = json.loads(json.dumps(asdict(result)))
    return value


def limit_openmp_threads() -> None:
    """One thread for each task, unless the deployment sets another number.

    Spinning OpenMP threads make fitting about six times slower beside another busy process, and
    sums over several threads differ in their last digits from run to run. The libraries read
    this when they are loaded, which is after this call.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class StepOperator(EmitsLineage, BaseOperator):
    """Base of the operators: one step of a model's life.

    :param model: name of the model (templated).
    :param warehouse_conn_id: connection of the customer's data.
    :param store_conn_id: connection of our own tables; default: ``[mlops] store_conn_id``.
    :cvar generated_task: phase and task id in the DAGs that are generated for each model, as
        ``release.train``; empty for an operator that none of them has.
    """

    generated_task: str = ""
    template_fields: Sequence[str] = ("model",)
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        model: str,
        warehouse_conn_id: str = "warehouse",
        store_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Each field of the result is an XCom of its own, so that tasks hand on single ids.
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.model = model
        self.warehouse_conn_id = warehouse_conn_id
        self.store_conn_id = store_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Load, call, save, report."""
        limit_openmp_threads()
        with translated():
            workspace = open_workspace(
                context,
                warehouse_conn_id=self.warehouse_conn_id,
                store_conn_id=self.store_conn_id or store_conn_id(),
            )
            with self.noting_lineage(workspace):
                result = self.step(workspace, context)
        self.log.info("%s", result)
        return plain(result)

    def field(self, name: str) -> Any:
        """One field of this step's result, for the tasks that come after it."""
        output: Any = self.output
        return output[name]

    def step(self, workspace: Workspace, context: Context) -> Any:
        """Run this operator's step of ``mlops.flow``."""
        raise NotImplementedError(f"{type(self).__name__} must define step()")
