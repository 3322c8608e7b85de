"""Names of our own things, the same in the governed lineage and in Airflow's own.

Plain text without imports, since operators use it when DAGs are parsed.
"""

from __future__ import annotations

SHORT = 12  # of a digest or an id, which is enough to distinguish two
NOT_COUNTED = "not_counted"  # where responses are that did not count as signatures

# What a person who opens one of them in Marquez reads, by the first part of its name.
_DESCRIPTIONS = {
    "contracts": "The columns of a table that models rely on.",
    "specs": "A registered specification of a model: features, label, acceptance criteria, owner.",
    "snapshots": "The frozen rows that a version is trained and tested on; the version is the "
    "SHA-256 of its file.",
    "checks": "The results of the data contract's checks.",
    "trainings": "A trained model before its validation; its columns are its features and its "
    "score.",
    "validations": "The verdict on a trained model, criterion by criterion.",
    "models": "A model version: the package that people sign; the version is its SHA-256.",
    "approvals": "The response of one seat to the approval request of a version. Who responded, "
    "when, and what the response binds is in the facet mlops_approval of the run that wrote it.",
    "deployments": "What is live. The version is the number of the live model version, 'stopped', "
    "or 'rule of' a version where its rule decides.",
    "predictions": "The predictions of one model version; each dataset version is a batch.",
    "measurements": "What was measured of a live version, window by window.",
    "monitoring": "The verdicts on a live version, window by window.",
}


def description(name: str) -> str:
    """What a dataset of the library is, for an auditor; empty for one that is not known."""
    return _DESCRIPTIONS.get(name.partition("/")[0], "")


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


def approvals(model: str, number: int, seat: str = "") -> str:
    """The response of one seat; without a seat, all of a version as earlier releases wrote them."""
    return f"approvals/{model}/{number}" + (f"/{seat}" if seat else "")


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
