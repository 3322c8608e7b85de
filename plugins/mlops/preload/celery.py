"""Preload when a Celery worker imports this module, which is before it forks its pool.

Name it in the configuration of the worker:
``AIRFLOW__CELERY__EXTRA_CELERY_CONFIG='{"imports": ["mlops.preload.celery"]}'``.
"""

from __future__ import annotations

from mlops.preload import preload

preload()
