"""What each page is made of, one frozen context a page, and how it becomes HTML."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse  # noqa: TID253 (only the API server imports this)
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mlops.approvals.seat_summary import SeatSummary
from mlops.reports.format import FILTERS
from mlops.reports.targets.report import target_metrics
from mlops.views.history import ModelHistory
from mlops.views.inventory import ModelSummary
from mlops.views.versions import Version

TEMPLATES = Path(__file__).parent / "templates"
# Airflow shows the pages in a frame; no other site may.
DENY_ALL_CSP = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


@dataclass(frozen=True)
class Urls:
    """Where links lead.

    :ivar home: the path of our pages: ``/mlops``, below Airflow's own path if it has one.
    :ivar airflow: Airflow's own path, empty or ``/airflow``.
    """

    home: str
    airflow: str

    def model(self, model: str) -> str:
        """The page of a model."""
        return f"{self.home}/models/{quote(model, safe='')}"

    def report(self, sha256: str) -> str:
        """A kept report."""
        return f"{self.home}/reports/{quote(sha256, safe='')}"

    def added(self, name: str, model: str = "") -> str:
        """A page of an extension, about a model or about all."""
        home = self.model(model) if model else self.home
        return f"{home}/pages/{quote(name, safe='')}"

    def dag(self, dag_id: str, page: str = "") -> str:
        """A page of Airflow about a DAG."""
        return f"{self.airflow}/dags/{quote(dag_id, safe='')}{page}"

    def login(self, back_to: str) -> str:
        """Airflow's login, which comes back afterwards."""
        return f"{self.airflow}/api/v2/auth/login?next={quote(back_to, safe='')}"


@dataclass(frozen=True)
class PageLink:
    """A link to a page of an extension."""

    title: str
    address: str


@dataclass(frozen=True)
class ModelsPage:
    """All models that the reader may see.

    :ivar unpackaged: names of those that are registered and have no version yet.
    :ivar hidden: whether there are others.
    :ivar added: pages of extensions about all models.
    """

    places: Urls
    at: datetime
    models: tuple[ModelSummary, ...]
    unpackaged: tuple[str, ...]
    hidden: bool
    added: tuple[PageLink, ...] = ()

    template = "models.html.j2"


@dataclass(frozen=True)
class ModelPage:
    """One model.

    :ivar seat_statuses: how the seats stand now, for the versions that count: live and pending.
    :ivar trend: performance over the windows; none before two were measured.
    :ivar everything: whether the lists are whole.
    :ivar added: pages of extensions about this model.
    """

    places: Urls
    at: datetime
    history: ModelHistory
    seat_statuses: Mapping[int, tuple[SeatSummary, ...]]
    trend: Markup | None
    everything: bool
    added: tuple[PageLink, ...] = ()

    template = "model.html.j2"

    def unsigned(self, version: Version) -> list[SeatSummary]:
        """The seats of a version that its answers, shown one by one, do not account for."""
        shown = {item.seat for item in version.signatures if item.counted}
        return [
            seat
            for seat in self.seat_statuses.get(version.number, ())
            if seat.state in ("open", "invalid") and (seat.seat not in shown or seat.signed_by)
        ]


@dataclass(frozen=True)
class AddedPage:
    """A page of an extension.

    :ivar model: empty for a page about all models.
    :ivar content: what the extension gives its template.
    :ivar text: of the template.
    """

    places: Urls
    at: datetime
    title: str
    model: str
    content: Any
    text: str


@dataclass(frozen=True)
class Problem:
    """A page that shows what is wrong and what to do, instead of the page that was asked for."""

    places: Urls
    status: int
    title: str
    facts: tuple[tuple[str, str], ...]
    link: str = ""
    link_text: str = ""

    template = "problem.html.j2"


def answer(
    page: ModelsPage | ModelPage | AddedPage | Problem, *, status: int = 200
) -> HTMLResponse:
    """A page as a response, with the headers that every page has."""
    environment = _environment()
    if isinstance(page, AddedPage):
        template = environment.from_string(page.text.strip())
    else:
        template = environment.get_template(page.template)
    text = template.render(page=page)
    return HTMLResponse(text, status_code=status, headers=headers(_page_policy()))


def headers(policy: str) -> dict[str, str]:
    """Nothing is fetched, run or framed beyond what ``policy`` names, and nothing is kept."""
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS, target_metrics=target_metrics)
    # Our own two files go into each page as they are, so that no open route has to serve them;
    # the policy below names their digests.
    environment.globals["style"] = Markup(_own("style.css"))  # noqa: S704
    environment.globals["script"] = Markup(_own("follow.js"))  # noqa: S704
    return environment


@cache
def _page_policy() -> str:
    style, script = (_digest(_own(name)) for name in ("style.css", "follow.js"))
    return f"{DENY_ALL_CSP}; style-src '{style}'; script-src '{script}'; img-src data:"


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
