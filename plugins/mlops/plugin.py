"""What Airflow loads: our pages and links. Light, since every Airflow process imports it."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class MlopsPlugin(AirflowPlugin):
    """The plugin ``mlops``."""

    name = "mlops"
