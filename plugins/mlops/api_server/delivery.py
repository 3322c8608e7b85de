"""Lets a process of the API server deliver lineage, if a Marquez is configured."""

from __future__ import annotations

import logging
from functools import cache

from mlops.connections import database_url
from mlops.errors import MlopsError
from mlops.lineage.marquez import delivery_worker
from mlops.settings import marquez_api_key, marquez_url, store_conn_id
from mlops.store.connect import Store

log = logging.getLogger(__name__)


@cache
def start_delivery_worker() -> None:
    """Start it once in this process; a failure to start hinders nothing else."""
    url = marquez_url()
    if url is None:
        return
    try:
        delivery_worker.start(Store(database_url(store_conn_id())), url, api_key=marquez_api_key())
    except (MlopsError, ValueError, OSError):
        log.exception("lineage is not delivered from here; mlops_governance delivers it")
