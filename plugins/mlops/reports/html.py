"""Templates to HTML: autoescape on, an unknown name is an error, no file but the templates is read.

A company may edit the templates below ``include/reports/``; a mistake in one is told with its
file, its line and what is wrong, like a mistake in a spec.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)

from mlops.errors import SpecError
from mlops.reports.format import FILTERS


def render(templates: Path, name: str, **values: Any) -> str:
    """Fill the template ``name`` of the folder ``templates``.

    :raises SpecError: the template is missing, cannot be read as one, or names what is not there.
    """
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    try:
        return environment.get_template(name).render(**values)
    except TemplateNotFound as error:
        raise SpecError(
            f"{templates}: a report template is missing",
            found=f"no file {error.name}",
            expected=f"{error.name}, as it came with mlops",
        ) from error
    except TemplateSyntaxError as error:
        raise SpecError(
            f"{error.filename or templates / name}:{error.lineno}: the report template is broken",
            found=error.message,
        ) from error
    except UndefinedError as error:
        raise SpecError(
            f"{templates / name}: the report template uses a name that reports do not have",
            found=error.message,
            expected="the fields of mlops.reports.context and the filters of mlops.reports.format",
        ) from error
