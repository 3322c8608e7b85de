"""The Airflow DAG that looks after all models: ledger, reviews, reminders."""

from mlops.lifecycle import governance_dag

governance_dag()
