"""The first run: a real Postgres, a real year of flights, a real Airflow, on this machine only.

``python -m demo up`` starts all of it, ``python -m demo down`` ends all of it. The tests use the
same parts.
"""
