"""Marquez over HTTP: post an event, and ask what it knows.

Marquez is a view of our ledger and may be away for days: nothing here tries twice, and nothing
takes longer than its limit, see :mod:`mlops.lineage.marquez.bounded`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import httpcore

from mlops.errors import LineageError, LineageUnreachable
from mlops.lineage.marquez.bounded import BoundedBackend

DEFAULT_TIMEOUT_S = 2.0
SHOWN_CHARACTERS = 300

Kind = Literal["delivered", "refused", "unreachable"]
Json = dict[str, Any]

# They speak of the address, the key or the moment, not of the event: so it is worth keeping.
_NOT_THE_EVENT = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


@dataclass(frozen=True)
class Outcome:
    """What became of an event that was posted.

    :ivar kind: ``delivered``: the server has it. ``refused``: it will never take this event.
        ``unreachable``: it may or may not have it; post it again later, which does no harm.
    :ivar detail: one line for a person: the status and the server's answer, or what went wrong.
    """

    kind: Kind
    detail: str


class Marquez:
    """A Marquez server, or another that takes OpenLineage events at ``/api/v1/lineage``.

    An object holds no connection, so it may be shared by threads and needs no closing.

    :param url: ``http://host:5000``; without ``/api/v1``.
    :param timeout_s: seconds for one whole exchange, from the connection to the last byte.
    :param api_key: sent as a bearer token, for a proxy that asks for one: Marquez does not.
    :raises LineageError: for a URL that is none.
    """

    def __init__(
        self, url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, api_key: str | None = None
    ) -> None:
        self.url = _checked(url)
        self._timeout_s = timeout_s
        self._headers = {"Accept": "application/json", "User-Agent": "mlops"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def post(self, body: str | bytes) -> Outcome:
        """Post one event, as JSON; never raises for what a server or a network does."""
        content = body.encode() if isinstance(body, str) else body
        try:
            status, answer = self._exchange("POST", "/lineage", content)
        except LineageUnreachable as error:
            return Outcome("unreachable", _one_line(str(error.found)))
        return Outcome(_kind_of_answer(status, answer), _status_line(status, answer))

    def is_alive(self) -> bool:
        """Whether it answers a question that costs it nothing.

        Not the one for all namespaces: one name that is too long makes it fail for ever.
        """
        try:
            self.get("/namespaces", "default")
        except (LineageError, LineageUnreachable):
            return False
        return True

    def run(self, run_id: str) -> Json | None:
        """A run: ``id, state, startedAt, job, facets, inputDatasetVersions, ...``."""
        return self.get("/jobs/runs", run_id)

    def job_runs(self, namespace: str, job: str, *, limit: int = 100) -> Json | None:
        """The runs of a job, newest first: ``{runs, totalCount}``."""
        return self.get("/namespaces", namespace, "jobs", job, "runs", limit=limit)

    def job(self, namespace: str, job: str) -> Json | None:
        """A job as its last run left it: ``inputs, outputs, ...``; None where it is hidden."""
        return self.get("/namespaces", namespace, "jobs", job)

    def dataset(self, namespace: str, name: str) -> Json | None:
        """A dataset; None where it is hidden."""
        return self.get("/namespaces", namespace, "datasets", name)

    def get(self, path: str, *parts: str, **query: str | int) -> Json | None:
        """An answer as parsed JSON; None when the server knows no such thing.

        :raises LineageUnreachable: without an answer, or with one that cannot be read.
        :raises LineageError: when the server refuses the question.
        """
        target = "/".join([path, *(quote(part, safe="") for part in parts)])
        if query:
            target += "?" + urlencode(query)
        status, answer = self._exchange("GET", target)
        if status == HTTPStatus.NOT_FOUND:
            return None
        if _kind(status) == "delivered":
            try:
                found = json.loads(answer)
            except ValueError:
                found = None
            if isinstance(found, dict):
                return found
        refused = _kind(status) == "refused"
        raise (LineageError if refused else LineageUnreachable)(
            f"the lineage server's answer to GET {self.url}/api/v1{target}",
            found=_status_line(status, answer),
            expected="200 and a JSON object",
        )

    def _exchange(
        self, method: str, target: str, content: bytes | None = None
    ) -> tuple[int, bytes]:
        headers = dict(self._headers)
        if content is not None:
            headers["Content-Type"] = "application/json"
        backend = BoundedBackend(self._timeout_s)
        try:
            with httpcore.ConnectionPool(network_backend=backend) as pool:
                response = pool.request(
                    method,
                    f"{self.url}/api/v1{target}",
                    headers=list(headers.items()),
                    content=content,
                )
                return response.status, response.content
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            OSError,
        ) as error:
            slow = isinstance(error, httpcore.TimeoutException)
            raise LineageUnreachable(
                f"no answer from the lineage server at {self.url}",
                found=f"nothing whole in {self._timeout_s:g} s" if slow else _fault(error),
                action="start it, or correct its URL",
            ) from error


def _kind(status: int) -> Kind:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return "delivered"
    client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return "refused" if client_error and status not in _NOT_THE_EVENT else "unreachable"


def _kind_of_answer(status: int, answer: bytes) -> Kind:
    """The kind of an answer to an event.

    Marquez answers 500 to JSON that it cannot read, with the code 400 in the body.
    """
    kind = _kind(status)
    if kind != "unreachable" or status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return kind
    try:
        code = json.loads(answer)["code"]
    except (ValueError, TypeError, KeyError):
        return kind
    return _kind(code) if isinstance(code, int) and _kind(code) == "refused" else kind


def _status_line(status: int, answer: bytes) -> str:
    return _one_line(f"{status} {answer[: 4 * SHOWN_CHARACTERS].decode(errors='replace')}")


def _fault(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:SHOWN_CHARACTERS]


def _checked(url: str) -> str:
    """The URL without its last slash.

    :raises LineageError: when it is not one.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        url.encode("ascii")
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or parts.username:
        raise LineageError(
            "the URL of the lineage server",
            found=repr(url),
            expected="http://host:port or https://host",
            action="correct [mlops] marquez_url",
        )
    return url.rstrip("/")
