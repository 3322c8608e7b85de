"""A real Airflow with the plugin, and a store that tells four models' lives."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from demo.client import AirflowClient
from demo.environment import TASK_ROLE, WAREHOUSE_DATABASE, Urls
from demo.platform import Platform
from demo.ports import free_port
from demo.postgres import EmbeddedPostgres
from mlops.store.artifacts import Artifacts
from mlops.store.migrate import upgrade
from tests.extend.conftest import module_of
from tests.fixtures.approval_key import KEY, register
from tests.fixtures.story import write_story

PROJECT = Path(__file__).resolve().parents[2]
DAG_FILE = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

names = [f"{model}_{phase}" for model in ("flight_delay", "churn_b2b", "claim_fraud")
         for phase in ("release", "score", "monitor")]
for name in [*names, "unrelated"]:
    with DAG(name, schedule=None, tags={"mlops"}):
        EmptyOperator(task_id="only")
"""


# Beside the page of ``docs/extend/page.md``: one about all models, and one that fails.
OTHER_PAGES = """
from mlops.views.pages import PAGES, Page


class AllModels(Page):
    name = "acme_all"
    title = "All by name"
    of_model = False
    template = (
        "{% extends 'base.html.j2' %}"
        "{% block main %}{{ page.content | join(' ') }}{% endblock %}"
    )

    def context(self, transaction, asked):
        return [*sorted(asked.models), asked.query.get("note", "")]


class Failing(Page):
    name = "acme_failing"
    title = "Failing"

    def context(self, transaction, asked):
        raise ValueError("a-secret-that-nobody-sees")


class Writing(Page):
    name = "acme_writing"
    title = "Writing"

    def context(self, transaction, asked):
        transaction.advisory_lock("allowed")
        transaction.note(actor="x", action="x.y", subject="x", payload={})


for page in (AllModels(), Failing(), Writing()):
    PAGES.register(page.name, page)
"""


class LimitedPlatform(Platform):
    """The demo's Airflow, in which some people may read some DAGs only; with added pages."""

    def environment(self) -> dict[str, str]:
        """The demo's, with the auth manager of the tests and the extensions."""
        variables = super().environment()
        return {
            **variables,
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.web.limited_auth.LimitedAuthManager",
            "AIRFLOW__MLOPS__APPROVAL_KEYS": KEY.fingerprint,
            "AIRFLOW__MLOPS__EXTENSIONS": "acme_on_call, acme_others",
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(self.extensions)]),
        }

    @property
    def extensions(self) -> Path:
        """Where the modules of the extensions are."""
        return self.places.folder / "extensions"


@dataclass(frozen=True)
class Site:
    """The running pages, and the reports in their store by ``model/kind``."""

    platform: LimitedPlatform
    client: AirflowClient
    reports: dict[str, str]

    def get(self, path: str, *, user: str | None = None, html: bool = False) -> httpx.Response:
        """Ask for a path of ours, as somebody or as nobody; redirects are not followed."""
        headers = {"Accept": "text/html" if html else "application/json"}
        if user is not None:
            headers["Authorization"] = f"Bearer {self.client.token(user)}"
        return httpx.get(f"{self.platform.url}{path}", headers=headers, timeout=60, trust_env=False)


@pytest.fixture(scope="session")
def pages_site() -> Iterator[Site]:
    """The pages in a real Airflow, for reading."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    folder.chmod(0o711)
    (folder / "dags").mkdir()
    (folder / "dags" / "tiny.py").write_text(DAG_FILE)
    places = Urls(
        folder=folder / "demo",
        project=PROJECT,
        dags=folder / "dags",
        plugins=PROJECT / "plugins",
    )
    postgres = EmbeddedPostgres(
        places.folder / "postgres", settings={"fsync": "off"}, needed_bytes=0
    )
    platform = LimitedPlatform(places, postgres, port=free_port())
    try:
        platform.extensions.mkdir(parents=True)
        (platform.extensions / "acme_others.py").write_text(OTHER_PAGES)
        module, text = module_of("page.md")
        (platform.extensions / f"{module}.py").write_text(text)
        platform.start_postgres()
        upgrade(postgres.url(WAREHOUSE_DATABASE), task_role=TASK_ROLE)
        register(postgres.url(WAREHOUSE_DATABASE))
        reports = write_story(
            postgres.url(WAREHOUSE_DATABASE, user=TASK_ROLE), Artifacts(places.artifacts)
        )
        platform.start()
        with AirflowClient(platform.url) as client:
            client.wait_dags(["flight_delay_release", "unrelated"])
            yield Site(platform, client, reports)
    finally:
        platform.stop()
        postgres.destroy()
        shutil.rmtree(folder, ignore_errors=True)
