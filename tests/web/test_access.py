"""Who gets in: every route of the pages, asked by everybody, in a real Airflow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from demo.environment import WAREHOUSE_DATABASE
from tests.web.conftest import PROJECT, Site

pytestmark = pytest.mark.system

# Asked of Airflow's own plugin class, so that a route that is added later is walked as well.
ROUTES = """
import json
from mlops.plugin import MlopsPlugin

(mounted,) = MlopsPlugin().fastapi_apps
app = mounted["app"]
print(json.dumps([
    [type(route).__name__, route.path, sorted(getattr(route, "methods", None) or [])]
    for route in app.routes
]))
"""
POLICY = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
}


@pytest.fixture(scope="module")
def routes(pages_site: Site) -> list[tuple[str, str]]:
    """Every route with a model of our story in it, and its path as it was declared."""
    done = subprocess.run(
        [sys.executable, "-c", ROUTES],
        env=pages_site.platform.environment() | {"PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert {kind for kind, _, _ in found} == {"APIRoute"}
    assert all(methods == ["GET"] for _, _, methods in found)
    return [(path, filled(path, pages_site)) for _, path, _ in found]


def filled(path: str, site: Site) -> str:
    """A declared path with things of the model churn_b2b in place of its parameters."""
    values = {
        "model": "churn_b2b",
        "dag_id": "churn_b2b_release",
        "sha256": site.reports["churn_b2b/validation"],
        "name": "acme_on_call" if "{model}" in path else "acme_all",
    }
    return "/mlops" + re.sub(r"{(\w+)}", lambda match: values[match[1]], path)


def test_there_are_routes_to_walk(routes: list[tuple[str, str]]) -> None:
    assert {path for path, _ in routes} == {
        "/",
        "/models/{model}",
        "/models/by-dag/{dag_id}",
        "/models/{model}/pages/{name}",
        "/pages/{name}",
        "/reports/{sha256}",
    }


@pytest.mark.parametrize("html", [False, True])
def test_nobody_gets_in_without_logging_in(
    pages_site: Site, routes: list[tuple[str, str]], html: bool
) -> None:
    for _, path in routes:
        answer = pages_site.get(path, html=html)
        assert answer.status_code == 401, path
        assert {name: answer.headers[name] for name in POLICY} == POLICY
        if html:
            assert f"/api/v2/auth/login?next={path.replace('/', '%2F')}" in answer.text
        else:
            assert answer.json() == {"detail": "Not authenticated"}


def test_a_token_that_is_none_gets_nobody_in(
    pages_site: Site, routes: list[tuple[str, str]]
) -> None:
    for _, path in routes:
        for headers in ({"Authorization": "Bearer x.y.z"}, {"Cookie": "_token=x.y.z"}):
            answer = httpx.get(f"{pages_site.platform.url}{path}", headers=headers, trust_env=False)
            assert answer.status_code in (401, 403), path
            assert "churn" not in answer.text


def test_whoever_may_not_read_the_dag_may_not_read_about_its_model(
    pages_site: Site, routes: list[tuple[str, str]]
) -> None:
    for declared, path in routes:
        for user in ("leo", "amy"):
            answer = pages_site.get(path, user=user)
            if declared in ("/", "/pages/{name}"):  # of which each sees a part
                assert answer.status_code == 200
                continue
            assert answer.status_code == 403, (user, path)
            assert {name: answer.headers[name] for name in POLICY} == POLICY


def test_whoever_may_read_the_dag_may(pages_site: Site, routes: list[tuple[str, str]]) -> None:
    for declared, path in routes:
        answer = pages_site.get(path, user="bea", html=True)
        assert answer.status_code == (303 if "by-dag" in declared else 200), path
        assert {name: answer.headers[name] for name in POLICY} == POLICY
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    # Leo may read the DAGs of flight_delay.
    assert pages_site.get("/mlops/models/flight_delay", user="leo").status_code == 200
    assert pages_site.get("/mlops/models/by-dag/flight_delay_score", user="leo").status_code == 303
    report = f"/mlops/reports/{pages_site.reports['flight_delay/monitoring']}"
    assert pages_site.get(report, user="leo").status_code == 200


def test_the_list_shows_what_its_reader_may_read(pages_site: Site) -> None:
    names = ("flight_delay", "churn_b2b", "claim_fraud", "parcel_eta")
    shown = {
        user: {name for name in names if f"/mlops/models/{name}" in page.text}
        for user in ("bea", "leo", "amy")
        for page in [pages_site.get("/mlops/", user=user, html=True)]
    }
    assert shown == {"bea": set(names), "leo": {"flight_delay"}, "amy": set()}


def test_a_page_of_an_extension_shows_what_its_reader_may_read(pages_site: Site) -> None:
    shown = {
        user: re.findall(r"<main>\s*(.*?)\s*</main>", page.text)
        for user in ("bea", "leo", "amy")
        for page in [pages_site.get("/mlops/pages/acme_all?note=<b>x", user=user, html=True)]
    }
    assert shown["leo"] == ["flight_delay &lt;b&gt;x"]
    assert shown["amy"] == ["&lt;b&gt;x"]
    assert "churn_b2b" in shown["bea"][0]
    page = pages_site.get("/mlops/models/churn_b2b/pages/acme_on_call", user="bea", html=True)
    assert "<title>On call: churn_b2b</title>" in page.text
    assert '<th scope="row">In production</th><td><span class="version live">v' in page.text


def test_the_library_s_pages_link_to_those_of_extensions(pages_site: Site) -> None:
    models = pages_site.get("/mlops/", user="bea", html=True).text
    assert re.findall(r'href="([^"]*acme[^"]*)"', models) == ["/mlops/pages/acme_all"]
    model = pages_site.get("/mlops/models/churn_b2b", user="bea", html=True).text
    assert re.findall(r'href="([^"]*acme[^"]*)"', model) == [
        f"/mlops/models/churn_b2b/pages/acme_{name}" for name in ("failing", "on_call", "writing")
    ]


def test_a_page_of_an_extension_that_fails_is_a_page_that_says_so(pages_site: Site) -> None:
    path = "/mlops/models/churn_b2b/pages/acme_failing"
    answer = pages_site.get(path, user="bea", html=True)
    assert answer.status_code == 500
    assert "the page &#39;acme_failing&#39; of an extension failed" in answer.text
    assert "ValueError" in answer.text
    assert "a-secret" not in answer.text + pages_site.get(path, user="bea").text


def test_a_page_of_an_extension_can_change_nothing(pages_site: Site) -> None:
    answer = pages_site.get("/mlops/models/churn_b2b/pages/acme_writing", user="bea")
    assert answer.status_code == 500
    with psycopg.connect(pages_site.platform.postgres.url(WAREHOUSE_DATABASE)) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM mlops.ledger WHERE action = 'x.y'"
        ).fetchone() or (None,)
    assert count == 0


@pytest.mark.parametrize(
    "path",
    [
        "/pages/acme_on_call",
        "/pages/nothing",
        "/pages/..%2f..%2fetc",
        "/models/churn_b2b/pages/acme_all",
        "/models/churn_b2b/pages/acme_",
        "/models/nothing/pages/acme_on_call",
    ],
)
def test_a_page_that_no_extension_adds_is_not_there(pages_site: Site, path: str) -> None:
    assert pages_site.get(f"/mlops{path}", user="admin", html=True).status_code == 404


def test_a_browsers_cookie_logs_in_as_well(pages_site: Site) -> None:
    cookies = {"_token": pages_site.client.token("leo")}
    for path, status in (("/mlops/", 200), ("/mlops/models/churn_b2b", 403)):
        answer = httpx.get(f"{pages_site.platform.url}{path}", cookies=cookies, trust_env=False)
        assert answer.status_code == status


def test_nothing_else_is_served(pages_site: Site) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/models", "/static/x", "/models/"):
        answer = pages_site.get(f"/mlops{path}", user="admin")
        assert answer.status_code == 404, path
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = httpx.request(method, f"{pages_site.platform.url}/mlops/", trust_env=False)
        assert answer.status_code == 405


def test_a_report_is_given_byte_for_byte_and_cannot_run_a_script(pages_site: Site) -> None:
    sha256 = pages_site.reports["churn_b2b/validation"]
    answer = pages_site.get(f"/mlops/reports/{sha256}", user="bea", html=True)
    assert answer.content == kept(pages_site, sha256).read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        "style-src 'unsafe-inline'; img-src data:; sandbox"
    )


def test_only_what_the_store_knows_as_a_report_is_given(pages_site: Site) -> None:
    package = pages_site.platform.places.artifacts / "sha256" / "ab"
    package.mkdir(parents=True, exist_ok=True)
    (package / ("ab" + "0" * 62)).write_text("a package")
    for name in ("ab" + "0" * 62, "0" * 64, "..%2f..%2fairflow.cfg", "x"):
        answer = pages_site.get(f"/mlops/reports/{name}", user="admin")
        assert answer.status_code == 404, name
        assert "a package" not in answer.text


def test_a_report_that_was_changed_is_not_shown(pages_site: Site) -> None:
    sha256 = pages_site.reports["claim_fraud/validation"]
    before = kept(pages_site, sha256).read_bytes()
    kept(pages_site, sha256).write_bytes(before + b"<p>and all is well</p>")
    try:
        answer = pages_site.get(f"/mlops/reports/{sha256}", user="admin", html=True)
    finally:
        kept(pages_site, sha256).write_bytes(before)
    assert answer.status_code == 500
    assert "all is well" not in answer.text
    assert f"sha256 {sha256}" in answer.text
    assert "have changed" in answer.text
    assert pages_site.get(f"/mlops/reports/{sha256}", user="admin").content == before


def test_a_dag_leads_to_its_model(pages_site: Site) -> None:
    for phase in ("release", "score", "monitor"):
        answer = pages_site.get(f"/mlops/models/by-dag/flight_delay_{phase}", user="bea")
        assert answer.headers["location"] == "/mlops/models/flight_delay"
    answer = pages_site.get("/mlops/models/by-dag/unrelated", user="bea", html=True)
    assert answer.status_code == 404
    assert "This DAG is about no model" in answer.text


def test_an_unknown_model_is_told(pages_site: Site) -> None:
    answer = pages_site.get("/mlops/models/nobody", user="bea")
    assert answer.status_code == 404
    assert "trigger nobody_release" in answer.json()["detail"]


def kept(site: Site, sha256: str) -> Path:
    return site.platform.places.artifacts / "sha256" / sha256[:2] / sha256
