"""From every spec to its DAGs. ``dags/models.py`` and ``dags/broken_specs.py`` are a line each."""

from __future__ import annotations

from mlops.lifecycle.build import build_dags, report_broken_specs
from mlops.lifecycle.governance import governance_dag

__all__ = ["build_dags", "governance_dag", "report_broken_specs"]
