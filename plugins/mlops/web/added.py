"""Pages that extensions add, each behind the library's own login and permission."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request  # noqa: TID253 (only the API server imports this)
from fastapi.responses import Response  # noqa: TID253

from mlops.errors import ExtensionError, MlopsError
from mlops.views.inventory import registered_models
from mlops.views.pages import PAGES, Page, PageRequest
from mlops.web.access import readable
from mlops.web.pages import AddedPage, PageLink, Urls, answer
from mlops.web.problems import urls_of
from mlops.web.read_only import read_only_transaction
from mlops.workspace.workspace import now

log = logging.getLogger(__name__)


def links(places: Urls, model: str = "") -> tuple[PageLink, ...]:
    """The added pages about a model, or about all; none if an extension cannot be loaded."""
    try:
        pages = [page for _, page in PAGES.items()]
    except ExtensionError as error:
        log.warning("pages of extensions are not linked: %s", error)
        return ()
    return tuple(
        PageLink(page.title, places.added(page.name, model))
        for page in pages
        if page.of_model == bool(model)
    )


def answer_added(request: Request, user: Any, name: str, model: str = "") -> Response:
    """An added page, for a user who may read about ``model`` where it names one.

    :raises HTTPException: no extension adds such a page.
    :raises ExtensionError: an extension cannot be loaded, or its page failed.
    """
    page = _page(name, of_model=bool(model))
    at = now()
    with read_only_transaction() as transaction:
        models = readable(user, registered_models(transaction))
        asked = PageRequest(model, models, at, dict(request.query_params))
        try:
            content = page.context(transaction, asked)
            shown = AddedPage(urls_of(request), at, page.title, model, content, page.template)
            return answer(shown)
        except MlopsError:
            raise
        except Exception as error:  # a customer's page may raise anything
            log.exception("the page '%s' of an extension failed", name)
            raise ExtensionError(
                f"the page '{name}' of an extension failed",
                found=type(error).__name__,
                expected="a page",
                action="correct the extension; the API server's log has the whole error",
            ) from error


def _page(name: str, *, of_model: bool) -> Page:
    if name in PAGES.names() and (page := PAGES.get(name)).of_model == of_model:
        return page
    what = "about a model" if of_model else "about all models"
    raise HTTPException(HTTPStatus.NOT_FOUND, f"No extension adds a page '{name}' {what}.")
