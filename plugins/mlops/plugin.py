"""What Airflow loads: our pages, where they show, and who listens.

Every Airflow process imports this, so nothing heavy is imported here; the pages are made when the
API server asks for them, and only then.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.plugins_manager import AirflowPlugin

from mlops.api_server import listener
from mlops.installation import require_one_installation

# Airflow shows the error among its plugin import errors, and goes on without this plugin.
require_one_installation()

# Relative to Airflow's own address, which may have a path.
PREFIX = "mlops"


def _icon(color: str, edge: str) -> str:
    """Three nodes that make one, as a picture in the address itself: no route has to serve it.

    The edge keeps it visible where Airflow marks the entry with a ground of its own.
    """
    shape = (
        '<g stroke="{0}" fill="{1}" stroke-width="{2}"><path fill="none" d="M5 5.5 18 12 5 18.5"/>'
        '<circle cx="5" cy="5.5" r="2.5"/><circle cx="5" cy="18.5" r="2.5"/>'
        '<circle cx="18" cy="12" r="3.1"/></g>'
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
        f"{shape.format(edge, edge, 4)}{shape.format(color, edge, 1.8)}</svg>"
    )
    return f"data:image/svg+xml,{quote(svg)}"


_LIGHT, _DARK = _icon("#334b68", "#e6eef7"), _icon("#dbe4ee", "#24364c")


class MlopsPlugin(AirflowPlugin):
    """The plugin ``mlops``."""

    name = "mlops"
    listeners = [listener]  # noqa: RUF012 (Airflow wants it so)
    external_views: list[dict[str, Any]] = [  # noqa: RUF012 (Airflow wants it so)
        {
            "name": "Models",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "mlops_models",
            "icon": _LIGHT,
            "icon_dark_mode": _DARK,
        },
        {
            "name": "Model",
            "href": f"{PREFIX}/models/by-dag/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "mlops_model",
            "icon": _LIGHT,
            "icon_dark_mode": _DARK,
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The pages, for the API server."""
        from mlops.web.app import create_app

        return [{"name": "mlops", "app": create_app(), "url_prefix": f"/{PREFIX}"}]

    @cached_property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Records people's responses to approval requests, in the API server."""
        from mlops.api_server.middleware import ApprovalMiddleware

        return [
            {"name": "mlops witness", "middleware": ApprovalMiddleware, "args": [], "kwargs": {}}
        ]
