"""Where the fixtures have their home: each in one module of ``tests/fixtures``.

Those modules import nothing heavy before a test wants it.
"""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.airflow",
    "tests.fixtures.browser",
    "tests.fixtures.lives",
    "tests.fixtures.postgres",
]
