from mlops.plugin import MlopsPlugin  # noqa: F401 (the only file that Airflow scans here)
