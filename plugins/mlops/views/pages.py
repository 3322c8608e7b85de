"""Pages that extensions add: what one is, and the registry of them.

``docs/extend/page.md`` shows how to add one. An added page has the login, the permission and the
headers of the library's own, since its route is the library's: it gives the facts and a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops.registry import Registry
from mlops.store.transaction import Transaction


@dataclass(frozen=True)
class PageRequest:
    """What a page is asked for.

    :ivar model: the model that the page is about; empty for a page about all models.
    :ivar models: every model that the reader may read about; show nothing of another one.
    :ivar at: the moment of the request, in UTC.
    :ivar query: the parameters after the ``?`` of the address.
    """

    model: str
    models: frozenset[str]
    at: datetime
    query: Mapping[str, str]


class Page:
    """A page of an extension.

    :cvar name: its address: ``/mlops/models/<model>/pages/<name>``, or ``/mlops/pages/<name>``.
    :cvar title: of the link to it.
    :cvar of_model: whether it is about one model, or about all that the reader may read about.
    :cvar template: the text of its Jinja template.
    """

    name: str = ""
    title: str = ""
    of_model: bool = True
    template: str = ""

    def context(self, transaction: Transaction, asked: PageRequest) -> Any:
        """Everything that the page shows, as one frozen record.

        :param transaction: of the store; it can read only.
        """
        raise NotImplementedError(f"the page {self.name!r} has no context")


PAGES: Registry[Page] = Registry(
    "page",
    group="mlops.pages",
    built_in={},
    requires=("name", "title", "of_model", "template", "context"),
)
