from mlops.plugin import MlopsPlugin  # noqa: D100, F401 (the only file that Airflow scans here)
