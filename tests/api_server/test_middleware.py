"""What the middleware takes for an answer to an approval request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from mlops.api_server import delivery, middleware, recorder
from mlops.api_server.request import ApiActor
from mlops.approvals.responses import Refusal

PATH = "/api/v2/dags/late_release/dagRuns/manual__1/taskInstances/sign_off.owner/{}/hitlDetails"
BODY = {"chosen_options": ["Approve"], "params_input": {}}
ROUTE = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A route that takes for a map index what Airflow's takes, an int, behind the middleware.

    Whoever asks is bea, whose answer would not count.
    """
    taken = FastAPI()

    @taken.patch(ROUTE)
    def answer(map_index: int) -> dict[str, Any]:
        return BODY | {"map_index": map_index}

    async def bea(scope: Any) -> ApiActor:
        return ApiActor("bea", "bea")

    def refuse_answer(actor: ApiActor, task: Mapping[str, str]) -> Refusal:
        return Refusal(f"{actor.user_name} has signed {task['task']} already", outside=False)

    monkeypatch.setattr(delivery, "start_delivery_worker", lambda: None)
    monkeypatch.setattr(middleware, "_read_actor", bea)
    monkeypatch.setattr(recorder, "refuse_answer", refuse_answer)
    return TestClient(middleware.ApprovalMiddleware(taken))


@pytest.mark.parametrize("index", ["-1", "-1.0", "%20-1", "-01", "%2D1", "-1_0", "+0", "0"])
@pytest.mark.parametrize("end", ["", "/"])
def test_every_spelling_of_a_map_index_is_an_answer(
    client: TestClient, index: str, end: str
) -> None:
    answer = client.patch(PATH.format(index) + end, json=BODY)
    assert answer.status_code == middleware.NOT_COUNTED
    assert answer.json() == {"detail": "bea has signed sign_off.owner already"}
