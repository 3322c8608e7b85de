"""``docs/extend/page.md``: a page of a customer's, from the rows of a real store.

Who gets in is asked of a real Airflow, with this very page, in ``tests/web/test_access.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops.errors import ExtensionError
from mlops.views.pages import PAGES, PageRequest
from mlops.web.added import links
from mlops.web.pages import AddedPage, PageLink, Urls, answer
from tests.extend.conftest import Extend
from tests.fixtures.life import Life
from tests.fixtures.small import DAY

PAGE, NAME = "page.md", "acme_on_call"
PLACES = Urls(home="/mlops", airflow="")


def html(life: Life) -> str:
    """The page about the small model."""
    page = PAGES.get(NAME)
    asked = PageRequest("late", frozenset({"late"}), datetime.now(UTC), {})
    with life.workspace.store.transaction() as transaction:
        content = page.context(transaction, asked)
    shown = AddedPage(PLACES, asked.at, page.title, asked.model, content, page.template)
    return bytes(answer(shown).body).decode()


@pytest.mark.usefixtures("one_thread")
def test_it_shows_what_is_in_the_store(small: Life, extend: Extend) -> None:
    with extend.page(PAGE):
        first = html(small)
        small.window(DAY)
        second = html(small)
    assert first.startswith("<!doctype html>")
    assert "<title>On call: late</title>" in first
    assert '<a href="/mlops/models/late">late</a>' in first
    assert '<span class="version live">v1</span>' in first
    assert "not monitored yet" in first
    assert '<th scope="row">Call first</th><td>sam</td>' in first
    assert '<span class="state' in second


def test_it_is_linked_where_it_belongs(extend: Extend) -> None:
    with extend.page(PAGE):
        of_model = PageLink("On call", "/mlops/models/late/pages/acme_on_call")
        assert links(PLACES, "late") == (of_model,)
        assert links(PLACES) == ()
    assert links(PLACES, "late") == ()
    with pytest.raises(ExtensionError):
        PAGES.get(NAME)
