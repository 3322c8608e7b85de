"""The routes. Every one needs a user who is logged in, and each about a model one who may read it.

Handlers touch databases, so they are plain functions, which the server runs in threads.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, Query, Request  # noqa: TID253 (only the API server)
from fastapi.responses import RedirectResponse, Response  # noqa: TID253

from mlops.approvals.seat_summary import SeatSummary
from mlops.errors import RecordMissing
from mlops.views.history import ModelHistory, model_history
from mlops.views.inventory import model_of_dag, registered_models, summaries
from mlops.views.records import find_report
from mlops.web.access import ReadableModel, authenticated, readable, require
from mlops.web.added import answer_added, links
from mlops.web.charts import performance_trend
from mlops.web.pages import DENY_ALL_CSP, ModelPage, ModelsPage, answer, headers
from mlops.web.problems import problem, urls_of
from mlops.web.read_only import read_only_transaction, report_bytes
from mlops.workspace.workspace import now

SHOWN = 24  # rows of each list of a model's page, unless all are asked for
ALL_ROWS = 10_000
# A report is one file: its own style, its own pictures, and not one script.
# A report's page does nothing by itself: "sandbox" also stops a <meta> that leads elsewhere.
REPORT_POLICY = f"{DENY_ALL_CSP}; style-src 'unsafe-inline'; img-src data:; sandbox"

router = APIRouter(dependencies=[Depends(authenticated)])


@router.get("/")
def models(request: Request, user: GetUserDep) -> Response:
    """All models: what is live, who signed it, whom the next version waits for, how it does."""
    at = now()
    with read_only_transaction() as transaction:
        names = registered_models(transaction)
        shown = readable(user, names)
        found = summaries(transaction, shown, at=at)
    return answer(
        ModelsPage(
            places=urls_of(request),
            at=at,
            models=tuple(item for item in found if item.live or item.pending),
            unpackaged=tuple(item.model for item in found if not (item.live or item.pending)),
            hidden=len(shown) < len(names),
            added=links(urls_of(request)),
        )
    )


@router.get("/models/by-dag/{dag_id}", dependencies=[Depends(requires_access_dag("GET"))])
def model_by_dag(request: Request, dag_id: str) -> Response:
    """The page of the model that a DAG is about."""
    with read_only_transaction() as transaction:
        model = model_of_dag(transaction, dag_id)
    if model is None:
        return problem(
            request,
            HTTPStatus.NOT_FOUND,
            (
                ("What was found", f"The store of models knows none that {dag_id} is about."),
                ("What to do", "If a model has this DAG, trigger the model's release: the model "
                 "is known from its first task on. Else there is nothing to do."),
            ),
            title="This DAG is about no model",
        )  # fmt: skip
    return RedirectResponse(
        urls_of(request).model(model), HTTPStatus.SEE_OTHER.value, headers(DENY_ALL_CSP)
    )


@router.get("/models/{model}")
def model(
    request: Request,
    model: ReadableModel,
    everything: Annotated[bool, Query(alias="all")] = False,  # noqa: FBT002 (a query parameter)
) -> Response:
    """One model: versions, signatures, candidates, deployments, batches, monitoring, reports."""
    at = now()
    with read_only_transaction() as transaction:
        history = model_history(
            transaction, model, at=at, at_most=ALL_ROWS if everything else SHOWN
        )
    return answer(
        ModelPage(
            places=urls_of(request),
            at=at,
            history=history,
            seat_statuses=_seat_statuses(history),
            trend=performance_trend(history),
            everything=everything,
            added=links(urls_of(request), model),
        )
    )


@router.get("/pages/{name}")
def page_about_all(request: Request, user: GetUserDep, name: str) -> Response:
    """A page that an extension adds, about all models that the reader may read about."""
    return answer_added(request, user, name)


@router.get("/models/{model}/pages/{name}")
def page_about_model(
    request: Request, user: GetUserDep, model: ReadableModel, name: str
) -> Response:
    """A page that an extension adds, about one model."""
    return answer_added(request, user, name, model)


@router.get("/reports/{sha256}")
def report(user: GetUserDep, sha256: str) -> Response:
    """A kept report, byte for byte, if its digest is the one that the store and its name say."""
    with read_only_transaction() as transaction:
        found = find_report(transaction, sha256)
    if found is None:
        raise RecordMissing(
            f"report {sha256[:12]}…",
            found="no report of this digest in the store",
            expected="the SHA-256 of a report, in 64 lower-case hexadecimal digits",
            action="open the report from the page of its model",
        )
    require(user, found.model)
    return Response(
        report_bytes(found.sha256),
        media_type="text/html; charset=utf-8",
        headers=headers(REPORT_POLICY),
    )


def _seat_statuses(history: ModelHistory) -> dict[int, tuple[SeatSummary, ...]]:
    summary = history.summary
    return {
        item.version: item.seats for item in (summary.live, summary.pending) if item is not None
    }
