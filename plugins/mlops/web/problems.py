"""What went wrong, as a page for people and as JSON for programs; never a stack trace."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import Request  # noqa: TID253 (only the API server imports this)
from fastapi.exceptions import RequestValidationError  # noqa: TID253
from fastapi.responses import JSONResponse, Response  # noqa: TID253
from starlette.exceptions import HTTPException

from mlops.errors import ArtifactMissing, MlopsError, RecordMissing, StoreError
from mlops.web.pages import DENY_ALL_CSP, Problem, Urls, answer, headers

_TITLES = {
    HTTPStatus.UNAUTHORIZED: "You are not logged in",
    HTTPStatus.FORBIDDEN: "You may not see this page",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.SERVICE_UNAVAILABLE: "The store of models cannot be read",
}


def urls_of(request: Request) -> Urls:
    """Where links lead, seen from the address that was asked for."""
    home = str(request.scope.get("root_path", ""))
    return Urls(home=home, airflow=home.rpartition("/")[0])


def handlers() -> dict[Any, Callable[..., Any]]:
    """Each kind of error with the function that answers it."""
    return {
        HTTPException: _http_error_page,
        RequestValidationError: _not_understood,
        MlopsError: _error_page,
    }


def _http_error_page(request: Request, error: HTTPException) -> Response:
    places = urls_of(request)
    login = error.status_code == HTTPStatus.UNAUTHORIZED
    facts = [("What was found", str(error.detail))]
    if error.status_code == HTTPStatus.FORBIDDEN:
        facts.append(("What to do", "Ask an administrator of Airflow for the right to read it."))
    return problem(
        request,
        error.status_code,
        tuple(facts),
        link=places.login(_address(request)) if login else "",
        link_text="Log in" if login else "",
    )


def _not_understood(request: Request, error: RequestValidationError) -> Response:
    found = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, (("What was found", found),))


def _error_page(request: Request, error: MlopsError) -> Response:
    facts = (
        ("What", error.what),
        ("What was found", error.found),
        ("What was expected", error.expected),
        ("What to do", error.action),
    )
    given = tuple((name, str(value)) for name, value in facts if value is not None)
    return problem(request, _status(error), given, detail=str(error))


def _status(error: MlopsError) -> HTTPStatus:
    if isinstance(error, RecordMissing | ArtifactMissing):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, StoreError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(
    request: Request,
    status: int,
    facts: tuple[tuple[str, str], ...],
    *,
    title: str = "",
    detail: str = "",
    link: str = "",
    link_text: str = "",
) -> Response:
    """What is wrong and what to do, as a page where one was asked for, else as JSON."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": detail or facts[0][1]}, int(status), headers(DENY_ALL_CSP))
    page = Problem(
        places=urls_of(request),
        status=int(status),
        title=title or _TITLES.get(HTTPStatus(status), "This page cannot be shown"),
        facts=facts,
        link=link,
        link_text=link_text,
    )
    return answer(page, status=page.status)


def _address(request: Request) -> str:
    """The path and query that were asked for, as the browser knows them."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}"
