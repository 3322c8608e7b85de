# The official Airflow image with airflow-mlops, its DAG files, and a policy to be edited; no model.
# Your own image begins with this one and copies your files over those of `mlops init`:
#
#   FROM mlops-airflow:local
#   COPY --chown=airflow:root dags/ /opt/airflow/dags/
#   COPY --chown=airflow:root include/ /opt/airflow/include/
FROM apache/airflow:3.3.2-python3.11

COPY --chown=airflow:root requirements.txt pyproject.toml README.md LICENSE /tmp/mlops/
COPY --chown=airflow:root plugins/ /tmp/mlops/plugins/
RUN pip install --no-cache-dir --constraint /tmp/mlops/requirements.txt "/tmp/mlops[all]" \
    && rm -rf /tmp/mlops

ENV AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__MLOPS__INCLUDE_FOLDER=/opt/airflow/include \
    AIRFLOW__MLOPS__ARTIFACT_ROOT=file:///opt/airflow/artifacts \
    OMP_NUM_THREADS=1 \
    OMP_WAIT_POLICY=passive

# A named volume takes its owner from the folder that the image has.
RUN mlops init /opt/airflow && mkdir -p /opt/airflow/artifacts && mkdir -m 0700 /opt/airflow/keys
