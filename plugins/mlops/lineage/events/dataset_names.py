"""Names of our own things, the same in the governed lineage and in Airflow's own.

Plain text without imports, since operators use it when DAGs are parsed.
"""

from __future__ import annotations

SHORT = 12  # of a digest or an id, which is enough to distinguish two


def spec(model: str, digest: str) -> str:
    """A registered spec."""
    return f"specs/{model}/{digest[:SHORT]}"


def snapshot(model: str, identity: str) -> str:
    """The frozen rows of a training."""
    return f"snapshots/{model}/{identity[:SHORT]}"


def snapshot_checks(model: str, identity: str) -> str:
    """The contract's checks of a snapshot."""
    return f"checks/{model}/{identity[:SHORT]}"


def input_checks(model: str, version: int) -> str:
    """The contract's checks of the rows that a version scores."""
    return f"checks/{model}/versions/{version}"


def training(model: str, identity: str) -> str:
    """What training made."""
    return f"trainings/{model}/{identity[:SHORT]}"


def validation(model: str, training_id: str) -> str:
    """The evaluation of a training."""
    return f"validations/{model}/{training_id[:SHORT]}"


def version(model: str, number: int | str) -> str:
    """One model version."""
    return f"models/{model}/versions/{number}"


def approvals(model: str, number: int) -> str:
    """The signatures of a version."""
    return f"approvals/{model}/{number}"


def deployment(model: str) -> str:
    """What is live."""
    return f"deployments/{model}/prod"


def scores(model: str, number: int) -> str:
    """The rows of the predictions table that one version made."""
    return f"predictions/{model}/versions/{number}"


def measurements(model: str, number: int) -> str:
    """What was measured of a version."""
    return f"measurements/{model}/{number}"


def monitoring(model: str, number: int) -> str:
    """The verdicts on a version."""
    return f"monitoring/{model}/{number}"
