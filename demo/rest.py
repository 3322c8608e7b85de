"""Requests to Airflow's REST API in the name of any of the demo's people."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from demo.errors import DemoError
from demo.users import USERS

OPERATOR = "dora"
PAGE_SIZE = 100


class AirflowRefused(DemoError):
    """Airflow answered a request with an error.

    :param status: the HTTP status.
    :param detail: Airflow's own text.
    """

    def __init__(self, request: str, *, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(f"Airflow refused {request}", found=f"{status}: {detail}")


class AirflowRest:
    """One client for all users: each logs in once, at the first request in that user's name.

    :param base_url: for instance ``http://127.0.0.1:8080``.
    :param passwords: user name to password; the demo's users when None.
    """

    def __init__(self, base_url: str, *, passwords: Mapping[str, str] | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._passwords = passwords or {user.name: user.password for user in USERS}
        self._tokens: dict[str, str] = {}
        # The loopback interface is never behind a proxy, so the environment's is not used.
        self._http = httpx.Client(base_url=self.base_url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token(self, user: str) -> str:
        """The user's bearer token.

        :raises AirflowRefused: 401 for a wrong password or an unknown user.
        """
        if user not in self._tokens:
            body = {"username": user, "password": self._passwords.get(user, user)}
            answer = self._http.post("/auth/token", json=body)
            self._tokens[user] = str(_checked(answer, f"the login of {user}")["access_token"])
        return self._tokens[user]

    def request(
        self,
        method: str,
        path: str,
        *,
        user: str = OPERATOR,
        json: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        """Send any request in a user's name, and give the JSON of the answer.

        :param path: from the root, for instance ``/api/v2/dags``.
        :raises AirflowRefused: for every status of 400 and more.
        """
        answer = self._http.request(
            method,
            path,
            json=json,
            params=dict(params or {}),
            headers={"Authorization": f"Bearer {self.token(user)}"},
        )
        return _checked(answer, f"{method} {path} by {user}")

    def all_rows(
        self, path: str, key: str, user: str, params: Mapping[str, str | int] | None = None
    ) -> list[dict[str, Any]]:
        """All rows of a list, page by page."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.request(
                "GET",
                path,
                user=user,
                params={**(params or {}), "limit": PAGE_SIZE, "offset": len(rows)},
            )
            rows.extend(page[key])
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows


def _checked(answer: httpx.Response, request: str) -> Any:
    if answer.status_code < HTTPStatus.BAD_REQUEST:
        return answer.json() if answer.content else None
    try:
        detail = answer.json().get("detail", answer.text)
    except ValueError:
        detail = answer.text
    raise AirflowRefused(request, status=answer.status_code, detail=str(detail))
