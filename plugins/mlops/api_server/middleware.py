"""Sees, in the API server, what people do to gates and models, at the moment they do it.

Airflow keeps one answer for each task and forgets it when the task is cleared, or when a worker's
end and the answer cross. So the answer goes into our ledger before its sender is told that it was
taken. An answer that would not count is refused here, with the reason in the message that the
sender reads, and the gate goes on waiting. Whatever cannot be recorded here opens nothing: the task
records it when it reads the answer, and deploy looks in our ledger only.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops.api_server import delivery, recorder
from mlops.api_server.request import ApiActor, current_actor

log = logging.getLogger(__name__)

# Airflow's pages put a fixed phrase in place of the reason of every status that they know, 403
# and 409 among them; of one that no standard assigns they show what it says. To a program it
# means what 400 means (RFC 9110, 15).
NOT_COUNTED = 460
_CHANGES = frozenset({"PATCH", "POST", "PUT", "DELETE"})
_MOST_BYTES = 1 << 20
_PUBLIC_API = "/api/v2/"
_ANSWER = re.compile(
    r"/api/v2/dags/(?P<dag>[^/]+)/dagRuns/(?P<run>[^/]+)/taskInstances/(?P<task>[^/]+)"
    r"/[^/]+/hitlDetails/?$"  # Airflow takes more for a number than digits: -1.0, or a space
)
_START = re.compile(r"/api/v2/dags/(?P<dag>[^/]+)/dagRuns/?$")
_REQUEST = re.compile(r"^/execution/hitlDetails/(?P<ti>[0-9a-f-]{36})/?$")
_DONE = (HTTPStatus.OK, HTTPStatus.CREATED)


Record = Callable[[Any, Any, Any], None]


class ApprovalMiddleware:
    """An ASGI middleware; it leaves alone whatever changes nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Answers at one gate go one after the other, so that the second of two that were sent at
        # once finds the first on record. Airflow itself takes both.
        self._answering: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        # Airflow makes one of us in each process of the API server, when it starts.
        delivery.start_delivery_worker()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with who asks on record for the listeners of task states."""
        asks = _is_request(scope)
        if asks:
            body, receive = await _read(receive)
            await _recorded(
                self._app,
                recorder.renew_request,
                asks["ti"],
                _parsed(body),
                scope,
                receive,
                send,
            )
            return
        if not _is_change(scope):
            await self._app(scope, receive, send)
            return
        act = await _act(scope)
        if act is None:
            await self._app(scope, receive, send)
            return
        body, receive = await _read(receive)
        act.body = _parsed(body)
        token = current_actor.set(act)
        try:
            await self._pass_on(act, scope, receive, send)
        finally:
            current_actor.reset(token)

    async def _pass_on(self, act: ApiActor, scope: Scope, receive: Receive, send: Send) -> None:
        answers = scope["method"] == "PATCH" and _ANSWER.search(scope["path"])
        starts = scope["method"] == "POST" and _START.search(scope["path"])
        if answers:
            gate = self._answering.setdefault(scope["path"].rstrip("/"), anyio.Lock())
            async with gate:
                await self._answer(act, answers.groupdict(), scope, receive, send)
        elif starts:
            dag = starts.groupdict()
            await _recorded(self._app, recorder.record_start, act, dag, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(
        self, act: ApiActor, task: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Refuse an answer that would not count; put one that Airflow takes on record."""
        found = await _safely(recorder.refusal_of_response, act, task)
        if found is None:
            await _recorded(self._app, recorder.record_answer, act, task, scope, receive, send)
            return
        status = HTTPStatus.FORBIDDEN if found.outside else NOT_COUNTED
        response = JSONResponse({"detail": found.why}, status_code=status)
        await response(scope, receive, send)


async def _recorded(
    app: ASGIApp,
    record: Record,
    who: Any,
    what: Any,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Let Airflow do it; what it has done is on record before its answer goes out."""
    held: list[Message] = []

    async def hold(message: Message) -> None:
        held.append(message)

    await app(scope, receive, hold)
    if held and held[0]["status"] in _DONE:
        answer = _parsed(b"".join(message.get("body", b"") for message in held[1:]))
        await _safely(record, who, what, answer)
    for message in held:
        await send(message)


def _is_request(scope: Scope) -> re.Match[str] | None:
    """Whether a worker puts a request before people."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    return _REQUEST.search(scope["path"])


def _is_change(scope: Scope) -> bool:
    """Whether somebody asks to change something; the workers' own API is none of ours."""
    return scope["type"] == "http" and scope["method"] in _CHANGES and _PUBLIC_API in scope["path"]


async def _safely(step: Any, *arguments: Any) -> Any:
    """Run a step in a thread; what it cannot do is logged, and opens no gate."""
    try:
        return await anyio.to_thread.run_sync(step, *arguments)
    except Exception:  # the API server answers its user whatever happens to us
        log.exception("an act at a gate could not be recorded here; the task will record it")
        return None


async def _act(scope: Scope) -> ApiActor | None:
    """Who asks, as Airflow's auth manager says; none where it does not know them."""
    connection = HTTPConnection(scope)
    header = connection.headers.get("authorization", "")
    token = header[7:] if header.lower().startswith("bearer ") else None
    token = token or connection.cookies.get(COOKIE_NAME_JWT_TOKEN)
    if not token:
        return None
    try:
        user = await get_auth_manager().get_user_from_token(token)
    except Exception:  # noqa: BLE001 (Airflow itself refuses the request in its own words)
        return None
    return ApiActor(user_id=str(user.get_id()), user_name=str(user.get_name()))


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The body, and a way to receive it once more."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body") or size > _MOST_BYTES:
            break
    body = b"".join(message.get("body", b"") for message in messages)
    waiting = list(messages)

    async def again() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return body, again


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
