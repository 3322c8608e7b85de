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
        text = (PROJECT / "docs" / "extend" / name).read_text()
        (found,) = _BLOCK.finditer(text)
        module = found["file"]
        (self.folder / f"{module}.py").write_text(found[1])
        with extensions_for(module):
            try:
                yield importlib.import_module(module)
            finally:
                sys.modules.pop(module, None)
        assert [file.name for file in self.folder.glob("*.py")] == [f"{module}.py"]
        assert _files() == before


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
