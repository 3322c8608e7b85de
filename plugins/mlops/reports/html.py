"""Templates to HTML: autoescape on, an unknown name is an error, no file but the templates is read.

The package ships the templates. A company replaces one with a file of the same name below
``include/reports/``; an error names that file, its line and what is wrong, as for a spec.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)

from mlops.errors import SpecError
from mlops.reports.format import FILTERS

# The templates of the package; also what a company copies to begin its own from.
SHIPPED = Path(__file__).parent / "templates"


def render(overrides: Path, name: str, text: str = "", /, **values: Any) -> str:
    """Fill the template ``name``.

    :param overrides: a company's folder, missing or with some of the templates; a file in it
        replaces the shipped one of the same name, also where another template includes it.
    :param text: the template itself, of a report kind that the package does not ship; blank lines
        around it are left out.
    :raises SpecError: a template cannot be read as one, or uses a name that reports do not have.
    """
    environment = Environment(
        loader=ChoiceLoader(
            [
                FileSystemLoader(overrides),
                DictLoader({name: text.strip()} if text else {}),
                FileSystemLoader(SHIPPED),
            ]
        ),
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
            f"a report template includes {error.name}, which is not there",
            found=f"{error.name} in neither {overrides} nor {SHIPPED}",
            expected="the name of a file in one of the two folders",
        ) from error
    except TemplateSyntaxError as error:
        raise SpecError(
            f"{error.filename or name}:{error.lineno}: the report template is broken",
            found=error.message,
        ) from error
    except UndefinedError as error:
        raise SpecError(
            f"{_last_template_place(error, name)}: the report template uses a name that reports do "
            "not have",
            found=error.message,
            expected="the fields of mlops.reports.context and the filters of mlops.reports.format",
        ) from error


def _last_template_place(error: UndefinedError, name: str) -> str:
    """File and line of the template in which the error arose."""
    place = name
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith((".j2", ".css")):
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
