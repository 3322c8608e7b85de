"""Every spec becomes four Airflow DAGs: release, score, monitor and control."""

from mlops.lifecycle import build_dags

build_dags()
