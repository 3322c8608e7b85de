#!/usr/bin/env bash
# Runs once, in a new Postgres: a role and a database for each part of the platform.
set -euo pipefail
psql --set=ON_ERROR_STOP=1 --username postgres \
    --set=airflow="$AIRFLOW_DB_PASSWORD" --set=marquez="$MARQUEZ_DB_PASSWORD" \
    --set=tasks="$MLOPS_TASKS_PASSWORD" --set=api="$MLOPS_API_PASSWORD" \
    --set=warehouse="$WAREHOUSE_PASSWORD" <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE marquez LOGIN PASSWORD :'marquez';
CREATE ROLE warehouse LOGIN PASSWORD :'warehouse';
CREATE ROLE mlops_tasks LOGIN PASSWORD :'tasks';
CREATE ROLE mlops_api LOGIN PASSWORD :'api';
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE marquez OWNER marquez;
CREATE DATABASE warehouse OWNER warehouse;
SQL
