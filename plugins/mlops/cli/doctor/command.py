"""``doctor``: what of a platform's configuration is unsafe or loses lineage, each with its cure.

Airflow's configuration is read as Airflow reads it, OpenLineage's as its provider and its client
read it. Nothing is changed. No secret is shown: each check chooses what it shows of a setting, and
of an error that is not of this library only the name.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict

from mlops.cli.doctor import airflow, approvals, extensions, lineage, openlineage, store
from mlops.cli.doctor.findings import Check, CheckResult, Finding, Severity

CHECKS: tuple[Check, ...] = (
    *airflow.CHECKS,
    *extensions.CHECKS,
    *store.CHECKS,
    *approvals.CHECKS,
    *openlineage.CHECKS,
    *lineage.CHECKS,
)
_ORDER: tuple[Severity, ...] = ("unsafe", "loses lineage", "advice")


def doctor(*, in_json: bool = False) -> int:
    """Examine the platform and print what was found, the worst first.

    :return: 1 when something is unsafe or loses lineage, 0 otherwise.
    """
    results = examine()
    findings = sorted(
        (one for one in results if isinstance(one, Finding)),
        key=lambda one: _ORDER.index(one.severity),
    )
    passed = [one.what for one in results if not isinstance(one, Finding)]
    if in_json:
        print(json.dumps({"findings": [asdict(one) for one in findings], "ok": passed}, indent=2))
    else:
        _print(findings, passed)
    return 1 if any(one.severity != "advice" for one in findings) else 0


def examine() -> list[CheckResult]:
    """The results of all checks; a check that cannot run is a finding too."""
    with _quiet():
        return [one for check in CHECKS for one in _tried(check)]


def _tried(check: Check) -> list[CheckResult]:
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 (a platform may be broken in any way)
        return [
            Finding(
                severity="unsafe",
                check=check.__name__,
                what=f"the check '{check.__name__}' could not run",
                found=type(error).__name__,
                expected="a configuration that can be read",
                action="correct what this check is about, then run doctor again",
            )
        ]


def _print(findings: list[Finding], passed: list[str]) -> None:
    for one in findings:
        print(f"{one.severity}: {one.what}")
        print(f"    found {one.found}; expected {one.expected}")
        print(f"    what to do: {one.action}")
    for what in passed:
        print(f"ok  {what}")
    count = Counter(one.severity for one in findings)
    print(", ".join(f"{count[severity]} {severity}" for severity in _ORDER))


@contextmanager
def _quiet() -> Iterator[None]:
    """What Airflow and its plugins log, warn of or print while they are read is not for here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
