"""Load once, in the process that starts the tasks, what each task would load again.

A task runs in a process that Airflow forks from a worker. What the worker has loaded before the
fork, the task has without the cost of an import, and both share the memory until one of them
writes to it. Preloading is off by default, since the worker needs about 300 MB for it. To turn it
on, name one of these in Airflow's configuration:

=============== =========================================================================
executor        configuration
=============== =========================================================================
LocalExecutor   ``[core] executor = mlops.preload.local.PreloadedLocalExecutor``
CeleryExecutor  ``[celery] extra_celery_config = {"imports": ["mlops.preload.celery"]}``
=============== =========================================================================

A process that forks must not have threads. The libraries start their threads when they first
compute, not when they are loaded, except for OpenBLAS and for the allocator of pyarrow. Both are
configured here to start none, unless the environment sets another number.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator

log = logging.getLogger(__name__)

# The steps, each with everything that it imports.
STEPS = (
    "mlops.approvals.responses",
    "mlops.flow.check_data",
    "mlops.flow.check_input",
    "mlops.flow.control",
    "mlops.flow.deploy",
    "mlops.flow.document",
    "mlops.flow.governance",
    "mlops.flow.intake",
    "mlops.flow.judge",
    "mlops.flow.measure",
    "mlops.workspace.report_kinds.monitoring",
    "mlops.workspace.report_kinds.validation",
    "mlops.flow.package",
    "mlops.flow.publish",
    "mlops.flow.score",
    "mlops.flow.snapshot",
    "mlops.flow.train",
    "mlops.flow.validate",
)
# What the steps import when they first need it, and what Airflow imports around a task.
LIBRARIES = (
    "adbc_driver_postgresql.dbapi",
    "pandas",
    "psycopg",
    "pyarrow.compute",
    "pyarrow.parquet",
    "scipy.special",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "skops.io",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlglot.dialects.postgres",
    "airflow.dag_processing.dagbag",
    "airflow.providers.openlineage.extractors.manager",
    "airflow.providers.openlineage.plugins.listener",
    "airflow.providers.postgres.hooks.postgres",
    "mlops.operators.monitoring",
    "mlops.operators.release",
    "mlops.operators.scoring",
    "mlops.sensors.approval",
    "mlops.lifecycle",
)
# Read by the libraries when they are loaded.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def preload() -> tuple[str, ...]:
    """Load the steps and their libraries into this process.

    A module that cannot be loaded is named in the log and left to the task that needs it, which
    then fails with an error of its own. So preloading never stops a worker.

    :return: the modules that could not be loaded.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    started = time.perf_counter()
    from mlops.connections import configure_tables

    # The modules stay: the collector of a task need not look at them, nor copy their pages.
    gc.disable()
    with warnings.catch_warnings():
        # skops looks into every loaded module, and Airflow's warn about each old name.
        warnings.simplefilter("ignore")
        failed = tuple(_failing())
    configure_tables()
    gc.enable()
    gc.freeze()
    log.info("preloaded the steps of mlops in %.1f s", time.perf_counter() - started)
    if threading.active_count() > 1:
        log.warning(
            "preloading mlops: this process has %s threads, and a forked task has only one of them",
            threading.active_count(),
        )
    return failed


def _failing() -> Iterator[str]:
    for name in (*STEPS, *LIBRARIES):
        try:
            importlib.import_module(name)
        except Exception:
            log.warning("preloading mlops: %s cannot be loaded", name, exc_info=True)
            yield name
