"""Every spec in include/models becomes three Airflow DAGs: release, score and monitor."""

from mlops.lifecycle import build_dags

build_dags()
