"""Who may see what: a user who may read a model's release DAG may read about the model."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_authenticated
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException  # noqa: TID253 (only the API server imports this)

from mlops.vocabulary import RELEASE_PHASE, model_dag_id

authenticated = requires_authenticated()


def release_dag(model: str) -> str:
    """The DAG whose readers may read about ``model``."""
    return model_dag_id(model, RELEASE_PHASE)


def readable(user: Any, models: Iterable[str]) -> frozenset[str]:
    """Those of ``models`` that ``user`` may read about.

    A model whose DAG was removed from Airflow is still checked by its DAG's id, so that a user who
    may read all DAGs sees retired models as well.
    """
    dag_ids = {release_dag(model): model for model in models}
    teams = DagModel.get_dag_id_to_team_name_mapping(list(dag_ids))
    by_team: dict[str | None, set[str]] = {}
    for dag_id in dag_ids:
        by_team.setdefault(teams.get(dag_id), set()).add(dag_id)
    manager = get_auth_manager()
    allowed: set[str] = set()
    for team, ids in by_team.items():
        allowed |= manager.filter_authorized_dag_ids(dag_ids=ids, user=user, team_name=team)
    return frozenset(dag_ids[dag_id] for dag_id in allowed)


def require(user: Any, model: str) -> None:
    """Refuse unless ``user`` may read about ``model``.

    :raises HTTPException: 403.
    """
    dag_id = release_dag(model)
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    if not get_auth_manager().is_authorized_dag(method="GET", details=details, user=user):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"You may not read the DAG {dag_id}, and so not about its model either.",
        )


def _readable_model(model: str, user: GetUserDep) -> str:
    require(user, model)
    return model


ReadableModel = Annotated[str, Depends(_readable_model)]
