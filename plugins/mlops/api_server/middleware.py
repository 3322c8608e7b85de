"""Records, in the API server, the responses of people to approval requests as they give them.

Airflow keeps one answer for each task and forgets it when the task is cleared, or when a worker
ends as the answer arrives. So the answer goes into the ledger before its sender gets a reply. An
answer that would not count is refused here, with the reason in the message that the sender reads,
and the request goes on waiting. What cannot be recorded here approves nothing: the task records it
when it reads the answer, and deploy looks in the ledger only.
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
from airflow.api_fastapi.core_api import security
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops.api_server import delivery, recorder
from mlops.api_server.request import ApiActor, current_actor

log = logging.getLogger(__name__)

# Airflow's pages put a fixed phrase in place of the reason of every status that they know, 403
# and 409 among them; of one that no standard assigns they show the message. To a program it
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
    """An ASGI middleware; requests that change nothing pass through it as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Answers to one request go one after the other, so that the second of two that were sent
        # at once finds the first recorded. Airflow itself takes both.
        self._answering: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        # Airflow makes one middleware in each process of the API server, when it starts.
        delivery.start_delivery_worker()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the listeners of task states find its actor in ``current_actor``."""
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
        actor = await _read_actor(scope)
        if actor is None:
            await self._app(scope, receive, send)
            return
        body, receive = await _read(receive)
        actor.body = _parsed(body)
        token = current_actor.set(actor)
        try:
            await self._pass_on(actor, scope, receive, send)
        finally:
            current_actor.reset(token)

    async def _pass_on(self, actor: ApiActor, scope: Scope, receive: Receive, send: Send) -> None:
        answers = scope["method"] == "PATCH" and _ANSWER.search(scope["path"])
        starts = scope["method"] == "POST" and _START.search(scope["path"])
        if answers:
            turn = self._answering.setdefault(scope["path"].rstrip("/"), anyio.Lock())
            async with turn:
                await self._answer(actor, answers.groupdict(), scope, receive, send)
        elif starts:
            dag = starts.groupdict()
            await _recorded(self._app, recorder.record_start, actor, dag, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(
        self, actor: ApiActor, task: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Refuse an answer that would not count; record one that Airflow takes."""
        refusal = await _safely(recorder.refuse_answer, actor, task)
        if refusal is None:
            await _recorded(self._app, recorder.record_answer, actor, task, scope, receive, send)
            return
        status = HTTPStatus.FORBIDDEN if refusal.outside else NOT_COUNTED
        response = JSONResponse({"detail": refusal.reason}, status_code=status)
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
    """Let Airflow handle the request, and record what it did before its reply goes out."""
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
    """Whether a person asks for a change; the workers' own API is left alone."""
    return scope["type"] == "http" and scope["method"] in _CHANGES and _PUBLIC_API in scope["path"]


async def _safely(step: Any, *arguments: Any) -> Any:
    """Run a step in a thread; a failure is logged, and approves nothing."""
    try:
        return await anyio.to_thread.run_sync(step, *arguments)
    except Exception:  # the API server must answer its user
        log.exception(
            "could not record this approval response in the API server; "
            "the sensor task will record it"
        )
        return None


async def _read_actor(scope: Scope) -> ApiActor | None:
    """The user who asks, as Airflow itself finds them; none if it does not know them.

    A second reading of the headers would differ from Airflow's for some spelling, and then the
    wrong person, or none, would be recorded.
    """
    request = Request(scope)
    try:
        credentials = await security.bearer_scheme(request)
        user = await security.get_user(request, None, credentials)
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
