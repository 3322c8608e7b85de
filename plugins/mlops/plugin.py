"""What Airflow loads: our pages and where they show.

Every Airflow process imports this, so nothing is imported here but Airflow's own plugin class; the
pages are made when the API server asks for them, and only then.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.plugins_manager import AirflowPlugin

# Relative to Airflow's own address, which may have a path.
PREFIX = "mlops"


def _icon(color: str) -> str:
    """Three nodes that make one, as a picture in the address itself: no route is needed for it."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{color}" stroke-width="1.8" stroke-linecap="round">'
        '<path d="M7 6.5 15.2 11M7 17.5l8.2-4.5M4.5 8.5v7"/>'
        '<circle cx="4.5" cy="5.5" r="2.7"/><circle cx="4.5" cy="18.5" r="2.7"/>'
        '<circle cx="18.3" cy="12" r="3.4"/></svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"


class MlopsPlugin(AirflowPlugin):
    """The plugin ``mlops``."""

    name = "mlops"
    external_views: list[dict[str, Any]] = [  # noqa: RUF012 (Airflow wants it so)
        {
            "name": "Models",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "mlops_models",
            "icon": _icon("#4b5563"),
            "icon_dark_mode": _icon("#d1d5db"),
        },
        {
            "name": "Model",
            "href": f"{PREFIX}/models/by-dag/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "mlops_model",
            "icon": _icon("#4b5563"),
            "icon_dark_mode": _icon("#d1d5db"),
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The pages, for the API server."""
        from mlops.web.app import create_app  # noqa: PLC0415 (see above)

        return [{"name": "mlops", "app": create_app(), "url_prefix": f"/{PREFIX}"}]
