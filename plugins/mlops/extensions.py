"""The modules that the option ``[mlops] extensions`` names: imported once, when one is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

from mlops.errors import ExtensionError


class _State:
    """The one list of extension modules of this process."""

    def __init__(self) -> None:
        self.source: Callable[[], Iterable[str]] = tuple
        self.imported: set[str] = set()


STATE = _State()


def extensions_from(source: Callable[[], Iterable[str]]) -> None:
    """Set where the dotted names of the extension modules come from: :mod:`mlops.settings` does.

    :param source: called when an extension is needed for the first time, not before.
    """
    STATE.source = source


def import_extensions() -> list[ExtensionError]:
    """Import each extension module once in this process; an error for each that is broken."""
    broken = []
    for module in STATE.source():
        if module not in STATE.imported:
            try:
                _import_extension(module)
            except ExtensionError as error:
                broken.append(error)
            else:
                STATE.imported.add(module)
    return broken


def _import_extension(module: str) -> None:
    try:
        import_module(module)
    except Exception as error:  # a customer's module may raise anything
        raise extension_error(f"{module} (the option [mlops] extensions)", error) from error


def extension_error(what: str, error: Exception) -> ExtensionError:
    """The error for an extension that raised another one while it was loaded."""
    found = f"{type(error).__name__}: {error}"
    if isinstance(error, ExtensionError):
        found = f"{error.what}, {error.found}"
    return ExtensionError(
        f"the extension {what} cannot be loaded",
        found=found,
        expected="a module that every process of Airflow can import",
        action="correct or install it wherever this process runs, or take it out",
    )
