"""The pages as one FastAPI application, which Airflow mounts at ``/mlops``.

Airflow mounts it without any authentication: our router asks for a user on every route.
"""

from __future__ import annotations

from fastapi import FastAPI  # noqa: TID253 (only the API server imports this)

from mlops.web.problems import handlers
from mlops.web.routes import router


def create_app() -> FastAPI:
    """Make the application: the router, and pages instead of stack traces.

    FastAPI's own routes for documentation would be open to everybody, so there are none.
    """
    app = FastAPI(
        title="mlops",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers=handlers(),
    )
    app.include_router(router)
    return app
