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
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)

from mlops.errors import SpecError
from mlops.reports.earlier_names import TemplateEnvironment, warn_of_earlier_names
from mlops.reports.format import FILTERS

# The templates of the package; also what a company copies to begin its own from.
SHIPPED = Path(__file__).parent / "templates"


class _Missing(StrictUndefined):
    """A name that reports do not have; filters that format a number name it in their error."""

    __format__ = StrictUndefined._fail_with_undefined_error


def render(overrides: Path, name: str, text: str = "", /, **values: Any) -> str:
    """Fill the template ``name``.

    :param overrides: a company's folder, missing or with some of the templates; a file in it
        replaces the shipped one of the same name, also where another template includes it.
    :param text: the template itself, of a report kind that the package does not ship; blank lines
        around it are left out.
    :raises SpecError: a template cannot be read as one, uses a name that reports do not have, or
        fails in an expression or a filter.
    """
    environment = TemplateEnvironment(
        loader=ChoiceLoader(
            [
                FileSystemLoader(overrides),
                DictLoader({name: text.strip()} if text else {}),
                FileSystemLoader(SHIPPED),
            ]
        ),
        autoescape=True,
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    try:
        html = environment.get_template(name).render(**values)
    except Exception as error:  # expressions and filters of a template raise anything
        raise template_error(error, name, overrides) from error
    warn_of_earlier_names(overrides / name, environment.renamed)
    return html


def template_error(error: Exception, name: str, overrides: Path) -> SpecError:
    """What is wrong in a template, with its file and line as far as they are known."""
    place = _last_template_place(error, name)
    match error:
        case TemplateNotFound():
            return SpecError(
                f"{place}: the report template includes {error.name}, which is not there",
                found=f"{error.name} in neither {overrides} nor {SHIPPED}",
                expected="the name of a file in one of the two folders",
            )
        case TemplateSyntaxError():
            return SpecError(
                f"{error.filename or name}:{error.lineno}: the report template is broken",
                found=error.message,
            )
        case UndefinedError():
            return SpecError(
                f"{place}: the report template uses a name that reports do not have",
                found=error.message,
                expected="the fields of mlops.reports.context and the filters of "
                "mlops.reports.format",
            )
        case _:
            return SpecError(
                f"{place}: the report template cannot be filled",
                found=f"{type(error).__name__}: {error}",
            )


def _last_template_place(error: Exception, name: str) -> str:
    """File and line of the template in which the error arose; ``name`` where none was begun."""
    place = name
    trace = error.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            file = trace.tb_frame.f_code.co_filename
            # Jinja has this name for a template without a file.
            place = f"{name if file == '<template>' else file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
