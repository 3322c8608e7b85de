"""What a page of ``docs/extend`` shows, added from outside: one file, and none of ours changes."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from mlops.digests import digest_file
from mlops.registry import extensions_for
from tests.fixtures.life import PROJECT

PACKAGE = PROJECT / "plugins" / "mlops"
_BLOCK = re.compile(r"```python\n(# (?P<file>\w+)\.py\n.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Extend:
    """Adds the example of a page.

    :ivar folder: outside of the project, and on ``sys.path``.
    """

    folder: Path

    @contextmanager
    def page(self, name: str) -> Iterator[ModuleType]:
        """The module that the page shows, named in ``[mlops] extensions``."""
        before = _files()
        module, text = module_of(name)
        (self.folder / f"{module}.py").write_text(text)
        with extensions_for(module):
            try:
                yield importlib.import_module(module)
            finally:
                sys.modules.pop(module, None)
        assert [file.name for file in self.folder.glob("*.py")] == [f"{module}.py"]
        assert _files() == before


def module_of(page: str) -> tuple[str, str]:
    """Name and text of the module that a page of ``docs/extend`` shows."""
    (found,) = _BLOCK.finditer((PROJECT / "docs" / "extend" / page).read_text())
    return found["file"], found[1]


def _files() -> dict[Path, str]:
    """The digest of each file of the package."""
    return {
        file: digest_file(file)
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }


@pytest.fixture
def extend(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Extend:
    folder = tmp_path_factory.mktemp("acme")
    assert not folder.is_relative_to(PROJECT)
    monkeypatch.syspath_prepend(folder)
    return Extend(folder)
