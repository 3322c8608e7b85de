"""``check``: every error in every spec, policy and SQL file, at once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from mlops.cli.init import PLACEHOLDER
from mlops.errors import SpecError
from mlops.flow.intake import check_sql
from mlops.spec.load import Include, Spec, require_rule, tier_of
from mlops.spec.policy import Policy
from mlops.spec.section import DeprecatedKey
from mlops.spec.signatories import require_signatories
from mlops.warehouse.dialect import Dialect
from mlops.warehouse.registry import WAREHOUSES


def check(root: Path, *, warehouse: str = "postgres") -> int:
    """Check all that people wrote below ``root``; no database is needed.

    :param warehouse: type of the connections that the specs name; its dialect reads the SQL.
    :return: 0 when all is sound, 1 otherwise; each error is a line on standard error, and so is
        each file that uses the earlier name of a key.
    """
    include, dialect = Include(root), WAREHOUSES.get(warehouse).dialect
    problems: list[str] = []
    specs = include.spec_files()
    with warnings.catch_warnings(record=True) as deprecations:
        warnings.simplefilter("always", DeprecatedKey)
        for file in (*include.policy_files(), *specs):
            problems += _placeholders(file)
        for file in include.policy_files():
            _collect(problems, lambda file=file: include.policy(file.stem))  # type: ignore[misc]
        for file in specs:
            _collect(problems, lambda file=file: _check_spec(include, file, dialect))  # type: ignore[misc]
    for line in dict.fromkeys(str(item.message) for item in deprecations):
        print(line, file=sys.stderr)
    if not specs:
        problems.append(
            f"{root / 'models'}: no spec found; expected at least one .yml or .yaml file"
        )
    for problem in dict.fromkeys(problems):
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(specs)} specs, {len(include.policy_files())} policies: all sound")
    return 1 if problems else 0


def _placeholders(file: Path) -> list[str]:
    """What ``init`` left for a person to write, and no person has written yet."""
    return [
        f"{file}:{number}: found the placeholder {found[0]!r}; what to do: write your own there"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := PLACEHOLDER.search(line))
    ]


def _check_spec(include: Include, file: Path, dialect: Dialect) -> None:
    spec = include.read_spec(file)
    problems: list[str] = []
    _collect(problems, lambda: check_sql(include, spec, dialect))
    _collect(problems, lambda: _agrees(spec, include.policy(spec.content.deploy.policy)))
    if problems:
        raise SpecError("\n".join(problems))


def _agrees(spec: Spec, policy: Policy) -> None:
    tier = tier_of(spec.content, policy)
    require_rule(spec.content, policy)
    require_signatories(spec.content, policy, tier)


def _collect(problems: list[str], step: Callable[[], object]) -> None:
    try:
        step()
    except SpecError as error:
        problems += str(error).splitlines()
