"""What customers add from outside: every extension can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from typing import Any

from mlops.cli.doctor.findings import Check, CheckResult, Finding, Passed, of_error
from mlops.errors import MlopsError
from mlops.settings import extensions as extension_modules

_ACTION = "correct or install it wherever this process runs, or take it out"


def extensions() -> Iterator[CheckResult]:
    """``[mlops] extensions``, and the entry points of installed distributions."""
    modules, points = extension_modules(), _points()
    tried = [
        *(_broken(name, partial(import_module, name)) for name in modules),
        *(_broken(point.value, point.load) for point in points),
    ]
    broken = [finding for finding in tried if finding is not None]
    yield from broken
    if not broken:
        yield Passed(f"{len(modules) + len(points)} extensions, and each can be loaded")


def _points() -> list[EntryPoint]:
    found = {
        (point.group, point.value): point
        for distribution in distributions()
        for point in distribution.entry_points
        if point.group.startswith("mlops.")
    }
    return list(found.values())


def _broken(name: str, load: Callable[[], Any]) -> Finding | None:
    try:
        load()
    except MlopsError as error:
        return of_error(error, severity="unsafe", check="extensions", action=_ACTION)
    except Exception as error:  # noqa: BLE001 (a customer's module may raise anything)
        return Finding(
            severity="unsafe",
            check="extensions",
            what=f"the extension {name} cannot be loaded",
            found=type(error).__name__,
            expected="a module that every process of Airflow can import",
            action=_ACTION,
        )
    return None


CHECKS: tuple[Check, ...] = (extensions,)
