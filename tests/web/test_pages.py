"""The pages as HTML, from the rows of a real store; no Airflow."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.trust import Trust
from mlops.views.history import model_history
from mlops.views.inventory import registered_models, summaries
from mlops.web.charts import performance_trend
from mlops.web.pages import TEMPLATES, ModelPage, ModelsPage, Problem, Urls, answer
from mlops.web.routes import REPORT_POLICY
from tests.fixtures.approval_key import KEY, register
from tests.fixtures.stored_life import Life
from tests.fixtures.story import write_story

NOW = datetime(2013, 11, 10, tzinfo=UTC)
PLACES = Urls(home="/mlops", airflow="")
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def page_store(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    upgrade(module_database)
    register(module_database)
    artifacts = Artifacts(tmp_path_factory.mktemp("artifacts"))
    write_story(module_database, artifacts)
    store = Store(module_database, trust=Trust(keys=frozenset({KEY.fingerprint})))
    hostile(Life(store, artifacts, "hostile", title=HOSTILE, decision=HOSTILE))
    conditional(Life(store, artifacts, "late_bus", title="Is it late?", decision="Whom to call?"))
    return store


def conditional(life: Life) -> None:
    """A version that was approved with conditions."""
    life.register("2013-01-01T08:00")
    life.package(1, "2013-01-02T08:00", auc=0.8, months=("2012-11", "2012-12"))
    life.report(1, "2013-01-02T08:01")
    life.sign(
        1,
        "business_owner",
        "bea",
        "2013-01-03T08:00",
        answer="Approve with conditions",
        reason="on weekdays only",
    )


def hostile(life: Life) -> None:
    """A life in which everything that people write tries to become markup."""
    life.register("2013-01-01T08:00")
    life.package(1, "2013-01-02T08:00", auc=0.8, months=("2012-11", "2012-12"), by=HOSTILE)
    life.report(1, "2013-01-02T08:01")
    life.sign(1, "business_owner", HOSTILE, "2013-01-03T08:00", reason=HOSTILE, refusal=HOSTILE)
    life.deploy(1, "2013-01-04T08:00", action=HOSTILE, by=HOSTILE)
    life.score(1, "2013-01", rows=10, unseen={HOSTILE: 3})
    life.monitor(1, "2013-01", rows=10, auc=None, kpi=1.0, state="alarm",
                 psi=[(HOSTILE, 0.5, "alarm")])  # fmt: skip
    life.find(1, HOSTILE, HOSTILE, "2013-02-02T08:00")


def models_html(store: Store, *, models: list[str] | None = None, hidden: bool = False) -> str:
    with store.transaction() as transaction:
        names = registered_models(transaction) if models is None else models
        found = summaries(transaction, names, at=NOW)
    page = ModelsPage(
        places=PLACES,
        at=NOW,
        models=tuple(item for item in found if item.live or item.pending),
        unpackaged=tuple(item.model for item in found if not (item.live or item.pending)),
        hidden=hidden,
    )
    return text_of(page)


def model_html(store: Store, model: str, *, at_most: int = 24, places: Urls = PLACES) -> str:
    with store.transaction() as transaction:
        history = model_history(transaction, model, at=NOW, at_most=at_most)
    both = (history.summary.live, history.summary.pending)
    page = ModelPage(
        places=places,
        at=NOW,
        history=history,
        seat_statuses={item.version: item.seats for item in both if item is not None},
        trend=performance_trend(history),
        everything=False,
    )
    return text_of(page)


def text_of(page: ModelsPage | ModelPage | Problem) -> str:
    return bytes(answer(page).body).decode()


def words(html: str) -> str:
    """What a person reads, in one line."""
    body = html[html.index("<main>") : html.index("</main>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def pages(page_store: Store) -> dict[str, str]:
    """Every kind of page."""
    with page_store.transaction() as transaction:
        names = registered_models(transaction)
    return {
        "models": models_html(page_store),
        "nothing": models_html(page_store, models=[]),
        "problem": text_of(Problem(PLACES, 503, "Title", (("What", HOSTILE),), HOSTILE, "Log in")),
        **{model: model_html(page_store, model) for model in names},
    }


def test_the_list_says_who_signed_and_who_is_waited_for(pages: dict[str, str]) -> None:
    told = words(pages["models"])
    assert "v2 since 2013-09-02 Business owner bea Lead data scientist lin Model risk max" in told
    assert "v3 waits for signatures Business owner bea Lead data scientist not signed yet" in told
    assert "28,889 rows October 2013, v2" in told
    assert "Warning October 2013, v2 27 % of late flights were flagged before departure" in told
    assert "Model risk the signature of max expired on 2013-08-03" in told
    assert "v1 rejected" in told
    assert "Registered, without a version yet parcel_eta" in told


def test_the_empty_list_says_what_to_do(page_store: Store) -> None:
    assert "No model was deployed yet" in words(models_html(page_store, models=[]))
    assert "<code>&lt;model&gt;_release</code>" in models_html(page_store, models=[])
    assert "Ask an administrator" in words(models_html(page_store, models=[], hidden=True))


def test_a_model_without_a_version_says_what_to_do(pages: dict[str, str]) -> None:
    assert "No model was deployed yet" in words(pages["parcel_eta"])
    assert 'Trigger <a href="/dags/parcel_eta_release" data-airflow>' in pages["parcel_eta"]


def test_a_model_page_tells_its_whole_life(pages: dict[str, str]) -> None:
    told = words(pages["flight_delay"])
    for text in (
        "Version 3 waits for Lead data scientist and Model risk.",
        "3 of 3 seats whose signature holds",
        "Lead data scientist sam 2013-07-01 10:30 UTC Not counted: sam developed flight_delay v1",
        "Model risk max 2013-07-02 07:50 UTC, by marking the task as success",
        "2013-07-02 to 2013-09-02",
        "4 of 4 gates passed",
        "boosted_trees packaged HistGradientBoostingClassifier sklearn.ensemble",
        "base_rate DummyClassifier sklearn.dummy",
        "v2 2013-09-02 08:01 UTC now deploy release manual__2013-09-02 dora",
        "October 2013 v2 28,889 dest 4 2013-11-01 02:00 UTC",
        "AUC 0.752 expected ≥ 0.73; labels of 97.0 % of rows "
        "temp_f PSI 0.58 origin_delay_3h PSI 0.09",
        "27 % of late flights were flagged before departure in October 2013; the target is 30",
        "Monitoring report 2013-10 v2",
    ):
        assert text in told
    assert "2013-07 0.792, 2013-08 0.764, 2013-09 0.771, 2013-10 0.752" in pages["flight_delay"]


def test_a_live_version_whose_signature_expired_stands_out(pages: dict[str, str]) -> None:
    told = words(pages["churn_b2b"])
    assert "Version 1 is in production, and not all of its signatures hold." in told
    assert "max 2013-02-04 12:00 UTC expired on 2013-08-03" in told
    assert told.count("the signature of max expired") == 1
    assert "Performance v1, 2013-10: AUC 0.691" in told


def test_an_approval_with_conditions_is_shown_with_them(pages: dict[str, str]) -> None:
    assert "bea signed with conditions 2013-01-03 08:00 UTC" in words(pages["late_bus"])
    assert "<q>on weekdays only</q>" in pages["late_bus"]
    (mark,) = re.findall(
        r'<li class="(\w+)">\s*<span class="seat">[^<]*</span>\s*<span class="who">bea',
        pages["late_bus"],
    )
    assert mark == "signed"


def test_cut_lists_lead_to_the_whole_ones(page_store: Store) -> None:
    html = model_html(page_store, "flight_delay", at_most=1)
    assert "The newest 1 of 3 versions." in words(html)
    assert 'href="/mlops/models/flight_delay?all=true"' in html


def test_nothing_that_people_write_becomes_markup(pages: dict[str, str]) -> None:
    for html in pages.values():
        assert html.count("<script>") == 1
        assert "alert(&#34;x&#34;)" in html or HOSTILE not in html
        assert HOSTILE not in html
    assert pages["hostile"].count("&lt;script&gt;alert") >= 8


def test_a_report_is_served_in_a_sandbox() -> None:
    """A <meta http-equiv="refresh"> in it leads nowhere, and no script of it runs."""
    assert REPORT_POLICY.endswith("; sandbox")
    assert "script-src" not in REPORT_POLICY


def test_the_policy_allows_our_own_style_and_script_alone(pages: dict[str, str]) -> None:
    policy = answer(Problem(PLACES, 404, "x", ())).headers["content-security-policy"]
    for html in pages.values():
        for tag in ("style", "script"):
            (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
            digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
        body = html[html.index("<body>") :]
        assert not re.search(r"\s(style|on[a-z]+)=", body)
        assert not re.search(r"(src|href)=\"(https?:)?//", body)
    assert "'unsafe-" not in policy
    assert "frame-ancestors 'self'" in policy


def test_links_stand_below_the_path_that_airflow_has(page_store: Store) -> None:
    html = model_html(
        page_store, "flight_delay", places=Urls(home="/airflow/mlops", airflow="/airflow")
    )
    found = {link for link in re.findall(r'href="([^"]+)"', html) if link[0] == "/"}
    assert "/airflow/dags/flight_delay_release/required_actions" in found
    assert {link for link in found if not link.startswith("/airflow/")} == set()


def test_every_cell_of_a_stacked_table_has_its_name(pages: dict[str, str]) -> None:
    for name in ("models", "flight_delay"):
        for table in re.findall(r'<table class="(?:models|versions|windows)">.*?</table>',
                                pages[name], flags=re.DOTALL):  # fmt: skip
            assert "<td>" not in table


def colors() -> Iterator[tuple[str, str]]:
    """The pairs of text and ground in the style sheet, as names of its variables."""
    for text in ("ink", "muted", "accent", "good", "warn", "bad"):
        yield text, "ground"
    yield from (("muted", "soft"), ("ink", "notice-soft"), ("accent", "notice-soft"))
    for kind in ("good", "warn", "bad"):
        yield kind, f"{kind}-soft"


@pytest.mark.parametrize(("text", "ground"), list(colors()))
def test_text_can_be_read_on_its_ground(text: str, ground: str) -> None:
    """At least 4.5 to 1: WCAG 2.2, success criterion 1.4.3."""
    style = (TEMPLATES / "style.css").read_text()
    known = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", style)) | {"ground": "#ffffff"}
    light, dark = sorted((luminance(known[text]), luminance(known[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(color: str) -> float:
    """Relative luminance of a color (WCAG 2.2)."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
              for part in parts]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_templates_are_all_used() -> None:
    text = "".join(file.read_text() for file in TEMPLATES.glob("*.j2"))
    used = {ModelsPage.template, ModelPage.template, Problem.template}
    used |= set(re.findall(r'"([a-z_]+\.html\.j2)"', text))
    assert used == {file.name for file in Path(TEMPLATES).glob("*.j2")}
