# The official Airflow image with this project's DAGs, plugin and what they need.
FROM apache/airflow:3.3.2-python3.11

COPY --chown=airflow:root requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --requirement /tmp/requirements.txt

COPY --chown=airflow:root demo/dags/ /opt/airflow/dags/
COPY --chown=airflow:root plugins/ /opt/airflow/plugins/
COPY --chown=airflow:root demo/include/ /opt/airflow/include/

ENV PYTHONPATH=/opt/airflow/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__MLOPS__INCLUDE_FOLDER=/opt/airflow/include \
    AIRFLOW__MLOPS__ARTIFACT_ROOT=file:///opt/airflow/artifacts \
    OMP_NUM_THREADS=1 \
    OMP_WAIT_POLICY=passive

# A named volume takes its owner from the folder that the image has.
RUN mkdir -p /opt/airflow/artifacts
