"""Tell Airflow that a window was an alarm, so that a release may start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context


class AlarmOperator(BaseOperator):
    """Succeed where the verdict was an alarm, and be skipped otherwise.

    Give it the alarm's asset as an outlet: Airflow sends the asset's event on success only.

    :param state: the verdict of ``judge`` (templated).
    """

    template_fields: Sequence[str] = ("state",)

    def __init__(self, *, state: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state = state

    def execute(self, context: Context) -> None:  # noqa: ARG002
        """Pass an alarm on.

        :raises AirflowSkipException: the window was no alarm.
        """
        if self.state != "alarm":
            raise AirflowSkipException(f"the window is {self.state}: no release is asked for")
        self.log.info(
            "the window is an alarm: a release is asked for; people still have to sign it"
        )
