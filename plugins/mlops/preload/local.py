"""Airflow's LocalExecutor, whose workers have the steps loaded before they fork a task."""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor

from mlops.preload import preload


class PreloadedLocalExecutor(LocalExecutor):
    """The LocalExecutor, with :func:`mlops.preload.preload` before its workers start.

    The workers are forks of the scheduler's process. Where the start method of multiprocessing is
    ``spawn`` or ``forkserver``, workers share nothing with the scheduler: then this class loads
    nothing and is the LocalExecutor.
    """

    def start(self) -> None:
        """Load the steps, then start the workers."""
        if self.is_mp_using_fork:
            preload()
        super().start()
