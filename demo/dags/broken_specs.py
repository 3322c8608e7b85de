"""Shows broken specs as an Airflow import error; the DAGs of sound specs live in models.py."""

from mlops.lifecycle import report_broken_specs

report_broken_specs()
