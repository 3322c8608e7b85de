"""The HTTP client of Marquez: what counts as delivered, and how long anything may take."""

from __future__ import annotations

import json
import socket
import time

import pytest

from mlops.errors import LineageError, LineageUnreachable
from mlops.lineage.marquez.client import Marquez, Outcome
from tests.lineage.faulty import LOOPBACK, FaultyServer, Mode
from tests.lineage.questions import MarquezPages

LIMIT_S = 0.4
# What the machine itself may add to the limit before a test says that there is none.
SLACK_S = 1.5
EVENT = json.dumps({"eventType": "COMPLETE", "name": "ä"})


@pytest.fixture
def marquez(server: FaultyServer) -> MarquezPages:
    return MarquezPages(server.url + "/", timeout_s=LIMIT_S)


def test_a_delivered_event_arrives_as_it_was_written(
    server: FaultyServer, marquez: Marquez
) -> None:
    assert marquez.post(EVENT) == Outcome("delivered", '201 {"ok": true}')
    assert marquez.post(EVENT.encode()).kind == "delivered"
    assert server.kept == [EVENT.encode()] * 2
    method, path, headers = server.requests[0]
    assert (method, path) == ("POST", "/api/v1/lineage")
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers


def test_a_key_is_sent_as_a_bearer_token(server: FaultyServer) -> None:
    Marquez(server.url, api_key="s3").post(EVENT)
    assert server.requests[0][2]["Authorization"] == "Bearer s3"


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("delivered", [200, 201, 202, 204]),
        ("refused", [400, 409, 413, 415, 422]),
        # The address or the key is wrong, or the moment: the event is as good as before.
        ("unreachable", [301, 401, 403, 404, 405, 407, 408, 425, 429, 500, 502, 503, 504]),
    ],
)
def test_a_status_says_what_became_of_the_event(
    kind: str, statuses: list[int], server: FaultyServer, marquez: Marquez
) -> None:
    server.answer = b""
    for status in statuses:
        server.status = status
        assert marquez.post(EVENT) == Outcome(kind, str(status))


def test_a_failure_whose_body_has_a_code_of_400_is_a_refusal(
    server: FaultyServer, marquez: Marquez
) -> None:
    """So Marquez answers to JSON that it cannot read; to start it would not help."""
    server.status = 500
    server.answer = b'{"code":400,"message":"Unable to process JSON"}'
    assert marquez.post(EVENT).kind == "refused"
    server.answer = b'{"code":500,"message":"There was an error"}'
    assert marquez.post(EVENT).kind == "unreachable"


@pytest.mark.parametrize("mode", [Mode.HANG, Mode.DEAF, Mode.TRICKLE])
def test_no_server_can_hold_the_client_longer_than_its_limit(
    mode: Mode, server: FaultyServer, marquez: Marquez
) -> None:
    server.mode = mode
    large = "x" * 20_000_000 if mode is Mode.DEAF else EVENT
    begin = time.monotonic()
    outcome = marquez.post(large)
    took = time.monotonic() - begin
    assert outcome == Outcome("unreachable", "nothing whole in 0.4 s")
    assert LIMIT_S * 0.9 < took < LIMIT_S + SLACK_S


@pytest.mark.parametrize("mode", [Mode.DROP, Mode.AFTERWARDS, Mode.HALF, Mode.ERROR])
def test_a_server_that_dies_in_the_middle_is_unreachable(
    mode: Mode, server: FaultyServer, marquez: Marquez
) -> None:
    server.first(Mode.HEALTHY, mode)
    kinds = [marquez.post(f"{number}").kind for number in range(3)]
    assert kinds == ["delivered", "unreachable", "delivered"]
    stored = [b"0", b"1", b"2"] if mode in (Mode.AFTERWARDS, Mode.HALF) else [b"0", b"2"]
    assert server.kept == stored


def test_a_refused_connection_is_over_at_once_and_healing_helps(
    server: FaultyServer, marquez: Marquez
) -> None:
    server.refuse()
    begin = time.monotonic()
    outcome = marquez.post(EVENT)
    assert outcome.kind == "unreachable"
    assert "refused" in outcome.detail
    assert time.monotonic() - begin < SLACK_S
    server.heal()
    assert marquez.post(EVENT).kind == "delivered"


def test_a_server_of_another_kind_is_unreachable() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        client = Marquez(f"https://{LOOPBACK}:{port}", timeout_s=LIMIT_S)
        # Nobody takes part in the handshake of TLS.
        assert client.post(EVENT).kind == "unreachable"
    assert Marquez("http://no.such.host.invalid", timeout_s=5).post(EVENT).kind == "unreachable"


def test_a_long_answer_is_told_on_one_short_line(server: FaultyServer, marquez: Marquez) -> None:
    server.status = 400
    server.answer = b"no\n  event \xff " + b"x" * 5000
    detail = marquez.post(EVENT).detail
    assert detail.startswith("400 no event \ufffd xxx")
    assert len(detail) == 300


def test_questions_go_to_the_paths_of_marquez(server: FaultyServer, marquez: MarquezPages) -> None:
    namespace, name = "postgres://h:5432", "a/b c.ä%3A"
    assert marquez.run("r-1") == {"ok": True}
    marquez.run_facets("r-1")
    marquez.run_facets("r-1", "job")
    marquez.job_runs(namespace, name, limit=7)
    marquez.dataset_versions(namespace, name)
    marquez.lineage(f"dataset:{namespace}:{name}", depth=2)
    marquez.column_lineage(f"datasetField:{namespace}:{name}:c", depth=3, with_downstream=True)
    marquez.upstream("r-1", depth=4)
    in_path = "postgres%3A%2F%2Fh%3A5432"
    named = "a%2Fb%20c.%C3%A4%253A"
    in_query = in_path + "%3A" + named.replace("%20", "+")
    assert [path for _, path, _ in server.requests] == [
        "/api/v1/jobs/runs/r-1",
        "/api/v1/jobs/runs/r-1/facets?type=run",
        "/api/v1/jobs/runs/r-1/facets?type=job",
        f"/api/v1/namespaces/{in_path}/jobs/{named}/runs?limit=7",
        f"/api/v1/namespaces/{in_path}/datasets/{named}/versions?limit=100",
        f"/api/v1/lineage?nodeId=dataset%3A{in_query}&depth=2",
        f"/api/v1/column-lineage?nodeId=datasetField%3A{in_query}%3Ac&depth=3&withDownstream=true",
        "/api/v1/runlineage/upstream?runId=r-1&depth=4",
    ]


def test_what_a_question_can_meet(server: FaultyServer, marquez: Marquez) -> None:
    server.status = 404
    assert marquez.run("unknown") is None
    server.status = 400
    server.answer = b"not a UUID"
    with pytest.raises(LineageError, match="400 not a UUID") as refused:
        marquez.run("x")
    assert not refused.value.retryable
    server.status = 200
    for answer in (b"<html>", b"[]", b"\xff"):
        server.answer = answer
        with pytest.raises(LineageUnreachable, match="expected 200 and a JSON object"):
            marquez.run("x")
    server.status = 503
    with pytest.raises(LineageUnreachable) as away:
        marquez.run("x")
    assert away.value.retryable
    server.refuse()
    with pytest.raises(LineageUnreachable, match=f"no answer from .* {server.url}; found Connect"):
        marquez.run("x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "marquez:5000",
        "ftp://h",
        "http://",
        "http://h:x",
        "http://u@h",
        "http://h?a",
        "http://ä",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LineageError, match="the URL of the lineage server"):
        Marquez(url)
